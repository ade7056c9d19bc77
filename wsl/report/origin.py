"""The origin of a run: when, on which machines and with which versions its jobs ran, and how long they took."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wsl.errors import DataError
from wsl.jobs.machine import Machine, noted, this_machine
from wsl.watch.record import Job, read_record


@dataclass(frozen=True)
class Origin:
    """The origin of a run.

    Attributes:
        written: time at which the report was written, at the end of the run.
        machines: machines with their numbers of jobs, the most common first. A run that was resumed elsewhere, or
            after an upgrade, has several.
        start: seconds since the last start of the workflow, or None if it was not recorded.
        ran: number of jobs that the last start ran, without the report's.
        jobs: number of all jobs of the run, as recorded by the last start.
        spent: sum of the jobs' seconds, from their logs; parallel jobs count fully.
        timed: number of jobs in this sum.
    """

    written: datetime
    machines: list[tuple[Machine, int]]
    start: float | None
    ran: int
    jobs: int
    spent: float
    timed: int


def read_origin(results: str | Path, report: str | Path) -> Origin:
    """Read the record of the last start and the logs of jobs.

    Each job's log holds the last time that the job ran, so sums are right after a resumed or partly repeated run.

    Args:
        results: the run's folder.
        report: output of the job in progress, which is not counted.
    """
    now = time.time()
    try:
        record = read_record(results)
    except DataError:  # the report is written without Snakemake
        record = None
    jobs = [] if record is None else [job for job in record.jobs if not _makes(job, Path(results), Path(report))]
    notes = [note for job in jobs if (note := noted(Path(results, job.log)))]
    machines = Counter(machine for _, machine in notes) or Counter({this_machine(): 0})
    return Origin(
        written=datetime.fromtimestamp(now, UTC),
        machines=machines.most_common(),
        start=None if record is None else now - record.started,
        ran=sum(job.due for job in jobs),
        jobs=len(jobs),
        spent=sum(seconds for seconds, _ in notes),
        timed=len(notes),
    )


def origin_rows(origin: Origin, run: str, seed: int) -> list[tuple[str, str]]:
    """Return the lines of the report's table about the run: names and values.

    Args:
        origin: see ``read_origin``.
        run: name of the run.
        seed: seed of the run.
    """
    rows = [("run", f"{run}, seed {seed}"), ("report written", f"{origin.written:%Y-%m-%d %H:%M} UTC")]
    if origin.start is not None:
        rows.append(("last start", f"{span(origin.start)}, in which {origin.ran} of {origin.jobs} jobs ran"))
    if origin.timed:
        counted = f"all {origin.jobs}" if origin.timed == origin.jobs else f"{origin.timed} of {origin.jobs}"
        rows.append(("time of jobs", f"{span(origin.spent)} in {counted} jobs, the sum over the last run of each"))
    several = len(origin.machines) > 1
    for machine, count in origin.machines:
        of_jobs = f" ({count} job{'s' * (count != 1)})" if several else ""
        versions = f"wsl {machine.wsl}, Python {machine.python}, torch {machine.torch}"
        rows += [(f"versions{of_jobs}", versions), (f"machine{of_jobs}", _hardware(machine))]
    return rows


def span(seconds: float) -> str:
    """Return a duration in words, for example ``8 min 12 s``."""
    minutes, left = divmod(round(seconds), 60)
    if not minutes:
        return f"{left} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s"


def _hardware(machine: Machine) -> str:
    parts = [machine.cpu, f"{machine.cores} core{'s' * (machine.cores != 1)}", f"{machine.memory:g} GB of memory"]
    return ", ".join([*parts, *([machine.gpu] if machine.gpu else []), machine.system])


def _makes(job: Job, results: Path, report: Path) -> bool:
    return any((results / output).resolve() == report.resolve() for output in job.outputs)
