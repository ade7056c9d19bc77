"""The remedy for a file that a run of the workflow created: regenerate it."""

import json
import os
from pathlib import Path

RECORD = Path("logs", "jobs.json")  # in a run's folder: the outputs of its jobs, see ``wsl.watch.record``


def remedy(path: str | Path, otherwise: str) -> str:
    """Return the remedy, a clause, for a file whose content is missing or wrong.

    Snakemake does not check files that lie behind up-to-date ones, so it regenerates such a file only if the command
    names it. It then replaces the file itself and reruns all jobs that depend on it: nothing has to be deleted.

    Args:
        path: the file.
        otherwise: the remedy if no run's record lists the file as an output of a job.
    """
    target = run_target(path)
    if target is None:
        return otherwise
    return f"regenerate it, and what depends on it, with the run's config: `snakemake --cores all --forcerun {target}`"


def run_target(path: str | Path) -> str | None:
    """Return a file's name as Snakemake knows it, ``results/digits/zoo/train.h5``; None if no run creates it."""
    path = Path(os.path.abspath(path))
    for run in path.parents:
        inside = path.relative_to(run)
        # Elsewhere than in results/<run>, for example in a copy of a run, no job of the workflow creates the file.
        if run.parent.name == "results" and _outputs(run) & {inside.as_posix(), *map(Path.as_posix, inside.parents)}:
            return Path("results", run.name, inside).as_posix()
    return None


def _outputs(run: Path) -> set[str]:
    """Return the files and folders that a run's jobs create, relative to its folder; empty without a record."""
    try:
        record = json.loads(Path(run, RECORD).read_bytes())
        return {output for job in record["jobs"] for output in job["outputs"]}
    except (OSError, ValueError, TypeError, KeyError):
        return set()
