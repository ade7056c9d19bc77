"""How a file that a run of the workflow made is made anew."""

import json
import os
from pathlib import Path

RECORD = Path("logs", "jobs.json")  # in a run's folder: which files its jobs make, see ``wsl.watch.record``


def remedy(path: str | Path, otherwise: str) -> str:
    """Return what to do about a file whose content is missing or wrong.

    Snakemake does not look at files behind those that are up to date: it makes such a file anew only where it is
    named. Then it replaces the file by itself, and makes anew all that depends on it.

    Args:
        path: the file.
        otherwise: what to do where no run's record says that one of its jobs makes the file.

    Returns:
        A clause that needs no full stop.
    """
    target = run_target(path)
    if target is None:
        return otherwise
    return f"make it anew, and what depends on it, with the run's config: `snakemake --cores all --forcerun {target}`"


def run_target(path: str | Path) -> str | None:
    """Return a file's name as Snakemake knows it, ``results/digits/zoo/train.h5``; None: no run makes this file."""
    path = Path(os.path.abspath(path))
    for run in path.parents:
        inside = path.relative_to(run)
        # In another place than results/<run>, say a copy of a run, no job of the workflow makes the file.
        if run.parent.name == "results" and _made(run) & {inside.as_posix(), *map(Path.as_posix, inside.parents)}:
            return Path("results", run.name, inside).as_posix()
    return None


def _made(run: Path) -> set[str]:
    """Return the files and folders that a run's jobs make, seen from its folder; none where it has no record."""
    try:
        record = json.loads(Path(run, RECORD).read_bytes())
        return {output for job in record["jobs"] for output in job["outputs"]}
    except (OSError, ValueError, TypeError, KeyError):
        return set()
