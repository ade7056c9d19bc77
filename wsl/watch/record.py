"""The record of a run, written by Snakemake's main process: the jobs of its last start, and the steps of each job."""

import json
import logging
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel, ValidationError

from wsl.errors import DataError
from wsl.files.opening import RECORD as NAME
from wsl.files.opening import opening_fault, rerun_command
from wsl.files.plain import write_json
from wsl.paths import Paths, cohort_name

STEPS = "logs/steps.jsonl"  # in a run's folder
STARTS, ENDS, FAILS = "starts", "ends", "fails"  # steps of a job
COMPLETED, FAILED, INTERRUPTED = "completed", "failed", "interrupted"  # steps of the run as a whole


class Job(BaseModel):
    """A job of the workflow; paths are relative to the run's folder.

    Attributes:
        name: its rule and wildcards, as in the name of its log: ``train_cohort/00017``.
        outputs: files that it writes.
        log: its log file.
        due: whether this start runs it; other jobs were done before.
        before: modification times (ns) of its files that existed at the start; a file with the same time is old.
        needs: positions of the jobs that must be done before it.
        share: fraction of the cores or devices that it takes, above 0 and at most 1.
    """

    name: str
    outputs: list[str]
    log: str
    due: bool
    before: dict[str, int] = {}
    needs: list[int] = []
    share: float = 1.0

    @property
    def rule(self) -> str:
        """Its rule, see ``rule_of``."""
        return rule_of(self.name)


class Planned(BaseModel):
    """The part, the number of epochs and the file of a planned member; the path is relative to the run's folder."""

    part: str
    epochs: int
    file: str = ""  # earlier versions have it as the member's name


class Record(BaseModel):
    """A start of the workflow.

    Attributes:
        started: seconds since 1970.
        host: the machine on which Snakemake runs.
        process: Snakemake's process id on that machine.
        born: when that process started, seconds since 1970: a later process may get the same id.
        command: the command that starts Snakemake again with the same arguments.
        members: by their names, such as ``00017``.
        jobs: in the order of the chain.
    """

    started: float
    host: str
    process: int
    born: float | None = None
    command: str = "snakemake --cores all"
    members: dict[str, Planned]
    jobs: list[Job]

    @cached_property
    def members_of(self) -> dict[str, dict[str, Planned]]:
        """The members in each file, by its path."""
        files: dict[str, dict[str, Planned]] = {}
        for name, planned in self.members.items():
            files.setdefault(planned.file or name, {})[name] = planned
        return files

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
    """Return the rule in a job's name; numbered rules, one for each list of classes, count as one."""
    rule = name.partition("/")[0]
    stem, _, number = rule.rpartition("_")
    return stem if number.isdigit() else rule


def job_name(log: str) -> str:
    """Return a job's name from the path of its log, relative to the run's folder."""
    return log.removeprefix("logs/").removesuffix(".log")


def write_record(
    results: str | Path,
    plan: Iterable[Mapping[str, Any]],
    jobs: Iterable[Mapping[str, Any]],
    command: str,
    cohort: int = 1,
) -> None:
    """Write the record of a start, immediately before Snakemake runs its jobs.

    Args:
        results: the run's folder.
        plan: rows of the plan, see ``wsl.zoo.plan.plan_members``.
        jobs: in the order of the chain: ``outputs``, ``log``, ``due``, ``needs`` and ``share`` of each; paths are
            relative to the working directory.
        command: the command that starts Snakemake again with the same arguments.
        cohort: members per file.
    """
    results = Path(results)
    recorded = []
    for job in jobs:
        log, *outputs = (_relative(path, results) for path in (job["log"], *job["outputs"]))
        before = {}
        for path in (*outputs, log) if job["due"] else ():
            with suppress(FileNotFoundError):
                before[path] = (results / path).stat().st_mtime_ns
        recorded.append(Job(**{**job, "name": job_name(log), "outputs": outputs, "log": log, "before": before}))
    record = Record(
        started=time.time(),
        host=os.uname().nodename,
        process=os.getpid(),
        born=psutil.Process().create_time(),
        command=command,
        members={
            f"{row['member']:05d}": Planned(
                part=row["part"],
                epochs=row["max_epoch"],
                file=_relative(Paths(str(results)).cohort(cohort_name(row["member"], cohort)), results),
            )
            for row in plan
        },
        jobs=recorded,
    )
    write_json(results / NAME, record.model_dump())


def _relative(path: str, results: Path) -> str:
    return Path(os.path.relpath(path, results)).as_posix()


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
            f"`{rerun_command('html_report')}` writes it)"
        ) from None
    except OSError as error:
        raise DataError(opening_fault(path, error)) from error
    except ValidationError as error:
        raise DataError(f"{path} is damaged; the next start of Snakemake writes it again") from error


@dataclass(frozen=True)
class Step:
    """An event of a run.

    Attributes:
        time: seconds since 1970.
        job: name of the job; empty for the run as a whole.
        what: ``starts``, ``ends`` or ``fails`` for a job, ``completed``, ``failed`` or ``interrupted`` for the run.
    """

    time: float
    job: str
    what: str


class StepsHandler(logging.Handler):
    """Appends the steps of a run, from the records of Snakemake's logger, to a file in the run's folder."""

    def __init__(self, results: str | Path):
        super().__init__()
        self.results = Path(results)
        self._names: dict[int, str] = {}  # by Snakemake's job ids
        self._over = False

    def begin(self) -> None:
        """Begin the steps of a start."""
        (self.results / STEPS).parent.mkdir(parents=True, exist_ok=True)
        self._append("\n")  # the last line of a start that was killed may be incomplete

    def emit(self, record: logging.LogRecord) -> None:
        """Write the step that a record of Snakemake reports, if there is one."""
        event = str(getattr(record, "event", ""))
        if self._over:  # jobs of an interrupted run are stopped; they do not fail
            return
        if event == "job_info" and record.log:
            log = _relative(record.log[0], self.results)
            if log.startswith("logs/"):  # not a job of another run in the same workflow
                self._names[record.jobid] = job_name(log)
                self.add(STARTS, self._names[record.jobid])
        elif event == "job_finished" and record.job_id in self._names:
            self.add(ENDS, self._names[record.job_id])
        elif event == "job_error" and record.jobid in self._names:
            self.add(FAILS, self._names[record.jobid])

    def add(self, what: str, job: str = "") -> None:
        """Write a step; after a step of the run as a whole, no step of a job is written."""
        self._over = not job
        self._append(json.dumps({"time": round(time.time(), 3), "job": job, "what": what}) + "\n")

    def _append(self, text: str) -> None:
        with suppress(OSError), open(self.results / STEPS, "a", encoding="utf-8") as file:  # jobs report a full disk
            file.write(text)


def durations(steps: Iterable[Step]) -> dict[str, float]:
    """Return the seconds that each job took when it last ended."""
    started: dict[str, float] = {}
    seconds = {}
    for step in steps:
        if step.what == STARTS:
            started[step.job] = step.time
        elif step.what == ENDS and step.job in started:
            seconds[step.job] = max(step.time - started.pop(step.job), 0.0)
    return seconds
