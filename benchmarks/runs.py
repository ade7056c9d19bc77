"""Run the workflow for benchmarks."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def snakemake(snakefile: Path, config: Path, work: Path, *arguments: str) -> str:
    """Run Snakemake in ``work`` and return what it printed."""
    asked = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--configfile", str(config), *arguments]
    done = subprocess.run(asked, cwd=work, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise SystemExit(done.stdout[-5000:])
    return done.stdout
