"""The record of a start of the workflow: its jobs, what each makes, and what lay there before."""

import os
import platform
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from wsl.errors import DataError
from wsl.files import write_json
from wsl.opening import opening_fault
from wsl.remaking import RECORD as NAME


class Job(BaseModel):
    """A job of the workflow; paths are seen from the run's folder.

    Attributes:
        name: its rule and wildcards, as in the name of its log: ``train_member/00017``.
        outputs: files that it makes.
        log: what it says.
        history: the output with a row an epoch, of a job that trains something.
        due: whether this start runs it; others had been made before.
        before: times (ns) of those of its files that lay there at the start: a file of the same time is an old one.
    """

    name: str
    outputs: list[str]
    log: str
    history: str | None = None
    due: bool
    before: dict[str, int] = {}

    @property
    def rule(self) -> str:
        """Its rule; jobs over lists of classes, which have a rule each, are one."""
        rule, _, number = self.name.partition("/")[0].rpartition("_")
        return rule if number.isdigit() else self.name.partition("/")[0]


class Planned(BaseModel):
    """What the plan says of a member: its part, and the epochs that it trains for."""

    part: str
    epochs: int


class Record(BaseModel):
    """A start of the workflow.

    Attributes:
        started: seconds since 1970; host, process: where Snakemake runs.
        members: by the paths of their files, seen from the run's folder.
        jobs: in the order of the chain.
    """

    started: float
    host: str
    process: int
    members: dict[str, Planned]
    jobs: list[Job]

    @property
    def ended(self) -> bool:
        """Whether Snakemake is known to have ended; on another machine it is not."""
        return self.host == platform.node() and not Path("/proc", str(self.process)).exists()


def write_record(results: str | Path, plan: Iterable[Mapping[str, Any]], jobs: Iterable[Mapping[str, Any]]) -> None:
    """Write the record of a start, as Snakemake is about to run its jobs.

    Args:
        results: the run's folder.
        plan: rows of the plan, see ``wsl.zoo.plan.plan_members``.
        jobs: in the order of the chain: ``outputs``, ``log``, ``history`` (a path or None) and ``due`` of each; paths
            are seen from the working directory.
    """
    results = Path(results)

    def seen_from_results(path: str) -> str:
        return Path(os.path.relpath(path, results)).as_posix()

    def recorded(job: Mapping[str, Any]) -> Job:
        log = seen_from_results(job["log"])
        outputs = [seen_from_results(path) for path in job["outputs"]]
        times = {path: _time(results / path) for path in (*outputs, log)} if job["due"] else {}
        return Job(
            name=log.removeprefix("logs/").removesuffix(".log"),
            outputs=outputs,
            log=log,
            history=seen_from_results(job["history"]) if job["history"] else None,
            due=job["due"],
            before={path: when for path, when in times.items() if when is not None},
        )

    record = Record(
        started=time.time(),
        host=platform.node(),
        process=os.getpid(),
        members={
            f"zoo/members/{row['member']:05d}.h5": Planned(part=row["part"], epochs=row["max_epoch"]) for row in plan
        },
        jobs=[recorded(job) for job in jobs],
    )
    write_json(results / NAME, record.model_dump())


def read_record(results: str | Path) -> Record:
    """Read the record of a run's last start.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = Path(results, NAME)
    try:
        return Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing: {results} is no run's folder, or its workflow has not started; give results/RUN, and "
            "start Snakemake first (of a run that is complete without it, `snakemake --forcerun html_report` will do)"
        ) from None
    except OSError as error:
        raise DataError(opening_fault(path, error)) from error
    except ValidationError as error:
        raise DataError(f"{path} is damaged; the next start of Snakemake makes it anew") from error


def _time(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
