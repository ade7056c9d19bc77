"""How far a run has got: what its folder and logs say, against the record of its start."""

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wsl.watch.logs import Epoch, Log, Logs
from wsl.watch.record import Job, Record


@dataclass(frozen=True)
class Seen:
    """A job as it was found: ``waiting``, ``running``, ``failed`` or ``done``, and its log unless it waits."""

    job: Job
    status: str
    log: Log | None = None


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
        size: bytes of all its files.
        finished: when the last file of this start was made, seconds since 1970; its start where none was.
        ended: whether Snakemake is known to have ended.
    """

    record: Record
    time: float
    jobs: list[Seen]
    size: int
    finished: float
    ended: bool

    @property
    def complete(self) -> bool:
        return all(seen.status == "done" for seen in self.jobs)

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.complete or self.ended

    @property
    def elapsed(self) -> float:
        """Seconds that the run has taken since its last start."""
        return (self.finished if self.complete else self.time) - self.record.started

    def of(self, status: str) -> list[Seen]:
        return [seen for seen in self.jobs if seen.status == status]

    @property
    def outputs(self) -> Count:
        return _outputs(self.jobs)

    @property
    def stages(self) -> dict[str, dict[str, Count]]:
        """Outputs by stage, the folder of a job's first output, and by rule."""
        rules: dict[str, dict[str, list[Seen]]] = {}
        for seen in self.jobs:
            folder, _, _ = seen.job.outputs[0].rpartition("/")
            stage = rules.setdefault(folder.partition("/")[0] or "report", {})
            stage.setdefault(seen.job.rule, []).append(seen)
        return {stage: {rule: _outputs(jobs) for rule, jobs in own.items()} for stage, own in rules.items()}

    @property
    def members(self) -> dict[str, Count]:
        """Members trained of members planned, by part."""
        parts: dict[str, list[bool]] = {}
        for seen in self.jobs:
            for path in self._trained(seen.job):
                parts.setdefault(self.record.members[path].part, []).append(seen.status == "done")
        return {part: Count(sum(done), len(done)) for part, done in parts.items()}

    @property
    def left(self) -> float | None:
        """Seconds until the zoo is trained, if its epochs go on as they went since the start; None: unknown."""
        ahead, moments, count = 0, [], 0
        for seen in self.jobs:
            members = self._trained(seen.job)
            if not members or not seen.job.due:
                continue
            epochs = [] if seen.log is None else [epoch for epoch in seen.log.epochs if epoch.epoch]
            if seen.log is not None and seen.log.epochs:
                moments.append(seen.log.epochs[0].time)
                count += len(epochs)
            if seen.status != "done":
                reached = {epoch.member: epoch.epoch for epoch in epochs}
                ahead += sum(
                    max(self.record.members[path].epochs - reached.get(Path(path).stem, 0), 0) for path in members
                )
        if not ahead:
            return 0.0 if self.members else None
        # The first epoch's beginning is not known; it is taken for as long as the others.
        spent = self.time - min(moments, default=self.time)
        return ahead * spent / (count - 1) if count > 1 and spent > 0 else None

    def _trained(self, job: Job) -> list[str]:
        return [path for path in job.outputs if path in self.record.members]


def look(results: str | Path, record: Record, logs: Logs) -> State:
    """Look at a run's folder, whose files come and go meanwhile.

    Args:
        results: the folder.
        record: of its last start.
        logs: reads them.
    """
    ended = record.ended  # asked first: what Snakemake has made by then is on the disk
    files = dict(_files(Path(results)))
    times = {path: about.st_mtime_ns for path, about in files.items()}
    jobs = [_seen(job, times, logs) for job in record.jobs]
    made = [times[path] / 1e9 for job in record.jobs if job.due for path in job.outputs if path in times]
    return State(
        record=record,
        time=time.time(),
        jobs=jobs,
        size=sum(about.st_size for about in files.values()),
        finished=max([record.started, *made]),
        ended=ended,
    )


def last_epoch(seen: Seen) -> Epoch | None:
    """Return the last epoch that a job has told of."""
    return seen.log.epochs[-1] if seen.log is not None and seen.log.epochs else None


def _seen(job: Job, times: dict[str, int], logs: Logs) -> Seen:
    def new(path: str) -> bool:
        return path in times and times[path] != job.before.get(path)

    if not job.due:
        return Seen(job, "done")
    done = all(map(new, job.outputs))
    log = logs.read(job.log) if new(job.log) else None
    if done:
        return Seen(job, "done", log)
    if log is None:
        return Seen(job, "waiting")
    return Seen(job, "failed" if log.error else "running", log)


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
