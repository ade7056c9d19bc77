"""How far a run is: its folder, logs and steps, compared with the record of its last start."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsl.watch.logs import Epoch, Log, Logs
from wsl.watch.record import Job, Record
from wsl.watch.steps import COMPLETED, ENDS, FAILS, NAME, STARTS, Step, durations

RUNNING, COMPLETE, DELETED, KILLED = "running", "complete", "deleted", "killed"  # phases; two more are in ``steps``


@dataclass(frozen=True)
class Seen:
    """A job as it was found.

    Attributes:
        job: from the record.
        status: ``waiting``, ``running``, ``done``, ``failed``, ``stopped`` (Snakemake ended before the job did) or
            ``deleted`` (its outputs were made and are gone).
        log: of a job that has started in this start of the workflow.
        since: when it started, seconds since 1970, where that is known.
        seconds: how long it took, where it is done and that is known.
    """

    job: Job
    status: str
    log: Log | None = None
    since: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Count:
    """How many are done of how many."""

    done: int
    all: int


@dataclass(frozen=True)
class State:
    """A run at a moment.

    Attributes:
        record: of its last start.
        time: seconds since 1970.
        jobs: in the order of the chain.
        missing: outputs of jobs with status ``deleted`` that are not there, relative to the run's folder.
        size: bytes of all its files.
        finished: when something last happened in this start, seconds since 1970.
        end: how Snakemake ended: ``completed``, ``failed``, ``interrupted``, or ``killed`` where its process is gone
            without a word; None while it runs.
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
        """``running``, ``complete``, ``failed``, ``interrupted``, ``killed``, or ``deleted``: files are gone since."""
        if all(seen.status == "done" for seen in self.jobs):
            return COMPLETE
        if self.end is None:
            return RUNNING
        return DELETED if self.end == COMPLETED else self.end

    @property
    def complete(self) -> bool:
        """Whether everything is there."""
        return self.phase == COMPLETE

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
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
        """Files that are made."""
        return _outputs(self.jobs)

    @property
    def stages(self) -> dict[str, dict[str, Count]]:
        """Outputs by stage, the folder of a job's first output, and by rule."""
        return {stage: {rule: _outputs(jobs) for rule, jobs in own.items()} for stage, own in self._by_stage().items()}

    @property
    def members(self) -> dict[str, Count]:
        """Members trained of members planned, by part."""
        parts: dict[str, list[bool]] = {}
        for seen in self.jobs:
            for path in trained(seen.job, self.record):
                parts.setdefault(self.record.members[path].part, []).append(seen.status == "done")
        return {part: Count(sum(done), len(done)) for part, done in parts.items()}

    @property
    def warnings(self) -> dict[str, str]:
        """The name of the first job that logged each distinct warning of this start."""
        found: dict[str, str] = {}
        for seen in self.jobs:
            for text in seen.log.warnings if seen.log else ():
                found.setdefault(text, seen.job.name)
        return found

    def _by_stage(self) -> dict[str, dict[str, list[Seen]]]:
        found: dict[str, dict[str, list[Seen]]] = {}
        for seen in self.jobs:
            folder, _, _ = seen.job.outputs[0].rpartition("/")
            stage = found.setdefault(folder.partition("/")[0] or "report", {})
            stage.setdefault(seen.job.rule, []).append(seen)
        return found


def look(results: str | Path, record: Record, logs: Logs) -> State:
    """Look at a run's folder, whose files come and go meanwhile.

    Args:
        results: the folder.
        record: of its last start.
        logs: reads them.
    """
    gone = record.ended  # asked first: what Snakemake has made by then is on the disk
    log = logs.read(NAME)
    steps = [step for step in (log.steps if log else ()) if step.time >= record.started - 1e-3]  # times in whole ms
    end = next((step.what for step in reversed(steps) if not step.job), KILLED if gone else None)
    by_job: dict[str, list[Step]] = {}
    for step in steps:
        by_job.setdefault(step.job, []).append(step)
    files = dict(_files(Path(results)))
    times = {path: about.st_mtime_ns for path, about in files.items()}
    jobs = [_seen(job, by_job.get(job.name, ()), times, logs, end is not None) for job in record.jobs]
    made = [times[path] / 1e9 for job in record.jobs if job.due for path in job.outputs if path in times]
    return State(
        record=record,
        time=time.time(),
        jobs=jobs,
        missing=[path for seen in jobs if seen.status == "deleted" for path in seen.job.outputs if path not in times],
        size=sum(about.st_size for about in files.values()),
        finished=max([record.started, *made, *(step.time for step in steps)]),
        end=end,
    )


def last_epoch(seen: Seen) -> Epoch | None:
    """Return the last epoch in a job's log."""
    return seen.log.epochs[-1] if seen.log is not None and seen.log.epochs else None


def trained(job: Job, record: Record) -> list[str]:
    """Return the outputs of a job that are members."""
    return [path for path in job.outputs if path in record.members]


def _seen(job: Job, steps: Sequence[Step], times: dict[str, int], logs: Logs, ended: bool) -> Seen:
    """Return a job as it is found.

    Args:
        job: the job.
        steps: its own, of this start.
        times: of all files in the run's folder, in ns.
        logs: reads its log.
        ended: whether Snakemake has ended.
    """

    def new(path: str) -> bool:
        return path in times and times[path] != job.before.get(path)

    there = all(path in times for path in job.outputs)
    if not job.due:
        return Seen(job, "done" if there else "deleted")
    last = steps[-1].what if steps else None
    since = next((step.time for step in reversed(steps) if step.what == STARTS), None)
    log = logs.read(job.log) if new(job.log) else None
    if there and (last == ENDS or all(map(new, job.outputs))):
        return Seen(job, "done", log, since, durations(steps).get(job.name))
    if last == ENDS:
        return Seen(job, "deleted", log, since)
    if last == STARTS and log is not None and log.time < since - 1:  # of an attempt that failed
        log = None
    if last == FAILS or (log is not None and log.error):
        return Seen(job, "failed", log, since)
    if log is None:  # a job that a scheduler holds back has a start and no log
        return Seen(job, "waiting")
    return Seen(job, "stopped" if ended else "running", log, since)


def _outputs(jobs: Iterable[Seen]) -> Count:
    jobs = list(jobs)
    return Count(
        sum(len(seen.job.outputs) for seen in jobs if seen.status == "done"),
        sum(len(seen.job.outputs) for seen in jobs),
    )


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield all files in a folder with what is known of them; those that vanish meanwhile are left out."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                yield path.relative_to(folder).as_posix(), path.stat()
            except OSError:
                continue
