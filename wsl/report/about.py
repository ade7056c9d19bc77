"""The origin of a run's tables, and the tables of several runs as one, with their origin in columns."""

import hashlib
import json
import subprocess
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import pandas as pd

from wsl.errors import ConfigError, DataError
from wsl.files.plain import read_json, write_csv, write_json
from wsl.jobs.machine import Machine
from wsl.report.origin import hardware, read_origin

PROJECT = Path(__file__).parents[2]
ABOUT = "about.json"  # in the folder of the tables
VERSIONS = ("wsl", "python", "torch", "numpy")


def write_about(tables: Sequence[str | Path], out: str | Path, config: dict[str, Any]) -> None:
    """Write the origin of a run's tables.

    Args:
        tables: all of them, so that they are complete; their content is not read.
        out: JSON: ``run``, ``run_seed``, ``config`` (SHA-256 of the checked config), ``commit`` (empty: wsl did not
            run from a git repository), the versions ``wsl``, ``python``, ``torch`` and ``numpy``, ``machine``, and
            ``written`` (date, UTC). Several versions or machines, of jobs of different starts, are joined by ``; ``.
        config: the checked config.
    """
    origin = read_origin(Path(out).parents[1], out)

    def of_jobs(value: Callable[[Machine], str]) -> str:
        return "; ".join(dict.fromkeys(filter(None, (value(machine) for machine, _ in origin.machines))))

    text = json.dumps(config, sort_keys=True, default=str)
    about = {"run": config["run"], "run_seed": config["seed"], "config": hashlib.sha256(text.encode()).hexdigest()}
    about |= {"commit": commit(), **{name: of_jobs(attrgetter(name)) for name in VERSIONS}}
    write_json(out, {**about, "machine": of_jobs(hardware), "written": f"{origin.written:%Y-%m-%d}"})


def commit(project: Path = PROJECT) -> str:
    """Return the commit of a project's folder, with ``-dirty`` after it if files differ; empty without a repository."""
    if not (project / ".git").exists():
        return ""
    command = ["git", "-C", str(project), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # no git, or a repository of another user
        return ""


def gather_tables(runs: Sequence[str | Path], out: str | Path) -> dict[str, int]:
    """Write the tables of several runs as one CSV per kind, with the columns of ``write_about`` first.

    Rows that a run lists of other runs (``beside``) are left out.

    Args:
        runs: folders of finished runs.
        out: folder of the CSV files; files of the same names are replaced.

    Returns:
        The number of rows by kind.

    Raises:
        ConfigError: the folder is that of a run's own tables.
        DataError: a run has no description of its tables.
    """
    kinds: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        folder = Path(run, "tables")
        if folder.resolve() == Path(out).resolve():
            raise ConfigError(f"{out} has the tables of a run, which stay as they are; name another folder")
        if not (folder / ABOUT).is_file():
            raise DataError(
                f"{folder / ABOUT} is missing: {run} is not the folder of a finished run, or an earlier version of wsl "
                "made it; start the run with its config, which also writes this file"
            )
        about = read_json(folder / ABOUT)
        for path in sorted(folder.glob("*.csv")):
            table = pd.read_csv(path)
            if "run" in table:
                table = table[table["run"] == about["run"]].drop(columns="run")
            origin = pd.DataFrame([about] * len(table), index=table.index)
            kinds.setdefault(path.stem, []).append(pd.concat([origin, table], axis=1))
    for kind, tables in kinds.items():
        write_csv(Path(out, f"{kind}.csv"), pd.concat(tables, ignore_index=True))
    return {kind: sum(map(len, tables)) for kind, tables in kinds.items()}
