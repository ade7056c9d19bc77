"""The state of a run, from its files, logs, histories and steps, and the record of its last start."""

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from wsl.jobs.history import history_of, history_rows
from wsl.jobs.process import error_in, warnings_in
from wsl.watch.record import COMPLETED, ENDS, FAILS, STARTS, STEPS, Job, Planned, Record, Step, durations

RUNNING, COMPLETE, DELETED, KILLED = "running", "complete", "deleted", "killed"  # phases; record.py has two more


@dataclass(frozen=True)
class Epoch:
    """An epoch of a training.

    Attributes:
        epoch: its number, from 1; 0 is the untrained state.
        epochs: number of epochs of the training.
        time: when it ended, seconds since 1970.
        values: losses and accuracies by name.
        member: name of the member that is trained, ``00017``; None for other trainings.
    """

    epoch: int
    epochs: int
    time: float
    values: dict[str, float]
    member: str | None = None


@dataclass(frozen=True)
class Log:
    """The text of a log, of a history or of the steps, whose last line may be incomplete."""

    text: str
    time: float  # of its last change, seconds since 1970

    @cached_property
    def warnings(self) -> list[str]:
        """The first line of each distinct warning in a log."""
        return warnings_in(self.text)

    @cached_property
    def error(self) -> str | None:
        """The error that ended a job, on one line; None if it runs, ended well or was stopped."""
        return error_in(self.text)

    @cached_property
    def epochs(self) -> list[Epoch]:
        """The epochs in a history."""
        keys = ("epoch", "epochs", "time", "member")
        return [
            Epoch(**{key: row.pop(key) for key in keys if key in row}, values=row) for row in history_rows(self.text)
        ]

    @cached_property
    def steps(self) -> list[Step]:
        """The steps of a run; incomplete lines are left out."""
        steps = []
        for line in self.text.splitlines():
            with suppress(ValueError, TypeError):
                steps.append(Step(**json.loads(line)))
        return steps


class Logs:
    """Reads files in a run's folder; a file is read again only if it has changed."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._read: dict[str, tuple[tuple[int, int], Log]] = {}

    def read(self, path: str) -> Log | None:
        """Return a log; None if there is no such file."""
        try:
            about = (self.folder / path).stat()
            key = (about.st_mtime_ns, about.st_size)
            if self._read.get(path, (None,))[0] != key:
                text = (self.folder / path).read_text(encoding="utf-8", errors="replace")
                self._read[path] = key, Log(text, about.st_mtime)
        except OSError:  # a restarted job or a manual clean-up
            return None
        return self._read[path][1]


@dataclass(frozen=True)
class Seen:
    """A job and its status.

    Attributes:
        job: from the record.
        status: ``waiting``, ``running``, ``done``, ``failed``, ``stopped`` (Snakemake ended before the job did) or
            ``deleted`` (its outputs were written and are gone).
        log: of a job that has started in this start of the workflow.
        epochs: of a job that has started in this start; a resumed job also has those of its first attempt.
        since: time of its start, seconds since 1970; None: unknown.
        seconds: its duration, if it is done; None: unknown.
    """

    job: Job
    status: str
    log: Log | None = None
    epochs: Sequence[Epoch] = ()
    since: float | None = None
    seconds: float | None = None

    @property
    def last_epoch(self) -> Epoch | None:
        """The last epoch."""
        return self.epochs[-1] if self.epochs else None


@dataclass(frozen=True)
class Count:
    """Numbers of finished items and of all items."""

    done: int
    all: int


@dataclass(frozen=True)
class State:
    """A run at one time.

    Attributes:
        record: of its last start.
        time: seconds since 1970.
        jobs: in the order of the chain.
        missing: outputs of jobs with status ``deleted`` that do not exist, relative to the run's folder.
        size: bytes of all its files.
        finished: time of the last event in this start, seconds since 1970.
        end: how Snakemake ended: ``completed``, ``failed``, ``interrupted``, or ``killed`` if its process is gone and
            reported no end; None while it runs.
        left: expected seconds until the run is complete; None: unknown.
    """

    record: Record
    time: float
    jobs: list[Seen]
    missing: list[str]
    size: int
    finished: float
    end: str | None
    left: float | None = None

    @property
    def phase(self) -> str:
        """``running``, ``complete``, ``failed``, ``interrupted``, ``killed``, or ``deleted``: files were deleted."""
        if all(seen.status == "done" for seen in self.jobs):
            return COMPLETE
        if self.end is None:
            return RUNNING
        return DELETED if self.end == COMPLETED else self.end

    @property
    def complete(self) -> bool:
        """Whether all outputs exist."""
        return self.phase == COMPLETE

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self.phase != RUNNING

    @property
    def elapsed(self) -> float:
        """Seconds that the run has taken since its last start."""
        return (self.time if self.phase == RUNNING else self.finished) - self.record.started

    def of(self, status: str) -> list[Seen]:
        """Return the jobs with a status."""
        return [seen for seen in self.jobs if seen.status == status]

    @property
    def outputs(self) -> Count:
        """Outputs that exist."""
        return _outputs(self.jobs)

    @property
    def stages(self) -> dict[str, dict[str, Count]]:
        """Outputs by stage, the folder of a job's first output, and by rule."""
        stages: dict[str, dict[str, list[Seen]]] = {}
        for seen in self.jobs:
            folder, _, _ = seen.job.outputs[0].rpartition("/")
            stage = stages.setdefault(folder.partition("/")[0] or "report", {})
            stage.setdefault(seen.job.rule, []).append(seen)
        return {stage: {rule: _outputs(jobs) for rule, jobs in rules.items()} for stage, rules in stages.items()}

    @property
    def members(self) -> dict[str, Count]:
        """Trained members of all planned members, by part; a running job may have trained some of its members."""
        parts: dict[str, list[bool]] = {}
        for seen in self.jobs:
            reached = {epoch.member: epoch.epoch for epoch in seen.epochs} if seen.status == "running" else {}
            for name, planned in trained(seen.job, self.record).items():
                done = seen.status == "done" or reached.get(name) == planned.epochs
                parts.setdefault(planned.part, []).append(done)
        return {part: Count(sum(done), len(done)) for part, done in parts.items()}

    @property
    def warnings(self) -> dict[str, str]:
        """The name of the first job that logged each distinct warning of this start."""
        warnings: dict[str, str] = {}
        for seen in self.jobs:
            for text in seen.log.warnings if seen.log else ():
                warnings.setdefault(text, seen.job.name)
        return warnings


def look(results: str | Path, record: Record, logs: Logs) -> State:
    """Return the state of the run in a folder, whose files may change meanwhile; ``record`` is of its last start."""
    gone = record.ended  # first: after its end, Snakemake writes nothing more
    log = logs.read(STEPS)
    steps = [step for step in (log.steps if log else ()) if step.time >= record.started - 1e-3]  # times in whole ms
    end = next((step.what for step in reversed(steps) if not step.job), KILLED if gone else None)
    by_job: dict[str, list[Step]] = {}
    for step in steps:
        by_job.setdefault(step.job, []).append(step)
    files = dict(_files(Path(results)))
    times = {path: about.st_mtime_ns for path, about in files.items()}
    jobs = [_seen(job, by_job.get(job.name, ()), times, logs, end is not None) for job in record.jobs]
    written = [times[path] / 1e9 for job in record.jobs if job.due for path in job.outputs if path in times]
    return State(
        record=record,
        time=time.time(),
        jobs=jobs,
        missing=[path for seen in jobs if seen.status == "deleted" for path in seen.job.outputs if path not in times],
        size=sum(about.st_size for about in files.values()),
        finished=max([record.started, *written, *(step.time for step in steps)]),
        end=end,
    )


def trained(job: Job, record: Record) -> dict[str, Planned]:
    """Return the members that a job trains, by their names."""
    return {name: one for path in job.outputs for name, one in record.members_of.get(path, {}).items()}


def _seen(job: Job, steps: Sequence[Step], times: dict[str, int], logs: Logs, ended: bool) -> Seen:
    """Return a job and its status; ``times`` are modification times (ns) of all files in the run's folder."""

    def new(path: str) -> bool:
        return path in times and times[path] != job.before.get(path)

    exist = all(path in times for path in job.outputs)
    if not job.due:
        return Seen(job, "done" if exist else "deleted")
    last = steps[-1].what if steps else None
    since = next((step.time for step in reversed(steps) if step.what == STARTS), None)
    log = logs.read(job.log) if new(job.log) else None
    done = exist and (last == ENDS or all(map(new, job.outputs)))
    if not done and last == STARTS and log is not None and log.time < since - 1:  # of an attempt that failed
        log = None
    history = None if log is None else logs.read(history_of(job.log))
    if done:
        status = "done"
    elif last == ENDS:
        status = "deleted"
    elif last == FAILS or (log is not None and log.error):
        status = "failed"
    elif log is None:  # a job that a scheduler holds back has a start and no log
        status = "waiting"
    else:
        status = "stopped" if ended else "running"
    seconds = durations(steps).get(job.name) if done else None
    return Seen(job, status, log, history.epochs if history else (), since, seconds)


def _outputs(jobs: Iterable[Seen]) -> Count:
    done = [seen.status == "done" for seen in jobs for _ in seen.job.outputs]
    return Count(sum(done), len(done))


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield all files in a folder with their status; files that vanish meanwhile are left out."""
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names):
            with suppress(OSError):
                yield path.relative_to(folder).as_posix(), path.stat()
