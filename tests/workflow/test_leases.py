"""Snakemake's own jobs on pretended devices, with `--resources` left out, and the server of jobs."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

CALL = Path(__file__).parents[2] / "workflow" / "scripts" / "call.py"
SNAKEFILE = f"""
import sys
from wsl.launch.serving import JobServer
from wsl.launch.stopping import PREFIX

shell.prefix(PREFIX)
SERVER = JobServer(PREFIX, lambda: False)

onstart:
    SERVER.start(["preloaded"], sys.modules["snakemake.shell"])

rule all:
    input: expand("held/{{n}}", n=range(8)), "forked"

rule hold:
    output: out="held/{{n}}"
    log: "logs/{{n}}.log"
    resources: gpu=1
    params: call="holder.hold", code="", settings={{}}
    script: "{CALL}"

rule fork:
    output: out="forked"
    log: "logs/forked.log"
    benchmark: "forked.tsv"
    params: call="holder.fork", code="", settings={{}}
    script: "{CALL}"
"""
# Fails where another job holds the same device. The first job to hold one dies of what `kill -9` sends.
HOLDER = """
import os, signal, sys, time
from pathlib import Path

def hold(out):
    held = os.environ["CUDA_VISIBLE_DEVICES"]
    Path(f"{held}.marker").touch(exist_ok=False)
    time.sleep(0.3)
    Path(f"{held}.marker").unlink()
    if DIES and not Path("died").exists():
        Path("died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    Path(out).write_text(held)
    assert "preloaded" not in sys.modules  # each starts in a new Python

def fork(out):
    large = b"1" * (150 << 20)
    time.sleep(0.7)
    Path(out).write_text(str("preloaded" in sys.modules))
"""


@pytest.mark.parametrize("dies", [False, True])
def test_jobs_never_share_a_device(dies, tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "preloaded.py").touch()
    (tmp_path / "holder.py").write_text(HOLDER.replace("DIES", str(dies)))
    path = os.pathsep.join([str(tmp_path), str(CALL.parents[2])])
    environment = {"CUDA_VISIBLE_DEVICES": "5,7", "TMPDIR": str(tmp_path), "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "8", "--retries", str(int(dies))],
        cwd=tmp_path, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
    held = [path.read_text() for path in (tmp_path / "held").iterdir()]
    assert len(held) == 8 and set(held) == {"5", "7"}
    assert (tmp_path / "died").exists() == dies
    assert (tmp_path / "forked").read_text() == "True"
    assert pd.read_csv(tmp_path / "forked.tsv", sep="\t")["max_rss"][0] > 150  # MB
