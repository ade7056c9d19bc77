"""The record of a start of the workflow: its jobs, what each makes, and which files existed before."""

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel, ValidationError

from wsl.errors import DataError
from wsl.files import write_json
from wsl.opening import opening_fault
from wsl.remaking import RECORD as NAME


class Job(BaseModel):
    """A job of the workflow; paths are relative to the run's folder.

    Attributes:
        name: its rule and wildcards, as in the name of its log: ``train_member/00017``.
        outputs: files that it makes.
        log: its log file.
        history: the output with one row per epoch, of a job that trains something.
        due: whether this start runs it; other jobs had been done before.
        before: times (ns) of those of its files that existed at the start: a file with the same time is an old one.
        needs: positions of the jobs that must be done before it.
        share: the share of the cores or devices of this start that it takes, above 0 and at most 1.
    """

    name: str
    outputs: list[str]
    log: str
    history: str | None = None
    due: bool
    before: dict[str, int] = {}
    needs: list[int] = []
    share: float = 1.0

    @property
    def rule(self) -> str:
        """Its rule; jobs for lists of classes, which have one rule each, count as one rule."""
        return rule_of(self.name)


class Planned(BaseModel):
    """What the plan holds for a member: its part, and the number of epochs that it trains for."""

    part: str
    epochs: int


class Record(BaseModel):
    """A start of the workflow.

    Attributes:
        started: seconds since 1970.
        host: the machine on which Snakemake runs.
        process: Snakemake's process id on that machine.
        born: when that process began, seconds since 1970: a later process may get the same id.
        command: the command that starts Snakemake again with the same arguments.
        members: by the paths of their files, relative to the run's folder.
        jobs: in the order of the chain.
    """

    started: float
    host: str
    process: int
    born: float | None = None
    command: str = "snakemake --cores all"
    members: dict[str, Planned]
    jobs: list[Job]

    @property
    def ended(self) -> bool:
        """Whether Snakemake's process is gone; False on another machine, where this cannot be seen."""
        if self.host != os.uname().nodename:
            return False
        try:
            born = psutil.Process(self.process).create_time()
        except psutil.NoSuchProcess:
            return True
        return self.born is not None and abs(born - self.born) > 1


def rule_of(name: str) -> str:
    """Return the rule of a job's name; the numbered rules of lists of classes count as one."""
    rule = name.partition("/")[0]
    stem, _, number = rule.rpartition("_")
    return stem if number.isdigit() else rule


def job_name(log: str) -> str:
    """Return a job's name from the path of its log, relative to the run's folder."""
    return log.removeprefix("logs/").removesuffix(".log")


def write_record(
    results: str | Path, plan: Iterable[Mapping[str, Any]], jobs: Iterable[Mapping[str, Any]], command: str
) -> None:
    """Write the record of a start, as Snakemake is about to run its jobs.

    Args:
        results: the run's folder.
        plan: rows of the plan, see ``wsl.zoo.plan.plan_members``.
        jobs: in the order of the chain: ``outputs``, ``log``, ``history`` (a path or None), ``due``, ``needs`` and
            ``share`` of each; paths are relative to the working directory.
        command: the command that starts Snakemake again with the same arguments.
    """
    results = Path(results)

    def in_run(path: str) -> str:
        return Path(os.path.relpath(path, results)).as_posix()

    def recorded(job: Mapping[str, Any]) -> Job:
        log = in_run(job["log"])
        outputs = [in_run(path) for path in job["outputs"]]
        times = {path: _time(results / path) for path in (*outputs, log)} if job["due"] else {}
        return Job(
            name=job_name(log),
            outputs=outputs,
            log=log,
            history=in_run(job["history"]) if job["history"] else None,
            due=job["due"],
            before={path: when for path, when in times.items() if when is not None},
            needs=job["needs"],
            share=job["share"],
        )

    record = Record(
        started=time.time(),
        host=os.uname().nodename,
        process=os.getpid(),
        born=psutil.Process().create_time(),
        command=command,
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
            f"{path} is missing: {results} is not the folder of a run, or its workflow has not started; give "
            "results/RUN, and start Snakemake first (for a run that is complete without this file, "
            "`snakemake --cores all --forcerun html_report` writes it)"
        ) from None
    except OSError as error:
        raise DataError(opening_fault(path, error)) from error
    except ValidationError as error:
        raise DataError(f"{path} is damaged; the next start of Snakemake writes it again") from error


def _time(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
