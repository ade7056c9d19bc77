"""The origin of a run: the dates, machines and versions with which its jobs ran, and their durations."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wsl.errors import DataError
from wsl.jobs.machine import Machine, noted, this_machine
from wsl.watch.record import read_record


@dataclass(frozen=True)
class Origin:
    """The origin of a run.

    Attributes:
        written: time at which the report was written, at the end of the run.
        machines: machines with their numbers of jobs, the most common first; several after an upgrade, or if the run
            was resumed elsewhere.
        start: seconds since the last start of the workflow; None: it was not recorded.
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

    Each log is of the job's last run, so sums are also correct after a resumed or partly repeated run.

    Args:
        results: the run's folder.
        report: output of the job in progress, which is not counted.
    """
    now = time.time()
    try:
        record = read_record(results)
    except DataError:  # the report is written without Snakemake
        record = None
    target = Path(report).resolve()
    jobs = [
        job
        for job in (record.jobs if record else ())
        if all(Path(results, path).resolve() != target for path in job.outputs)
    ]
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
    """Return names and values for the report's table about a run with this name and seed."""
    rows = [("run", f"{run}, seed {seed}"), ("report written", f"{origin.written:%Y-%m-%d %H:%M} UTC")]
    if origin.start is not None:
        rows.append(("last start", f"{span(origin.start)}, in which {origin.ran} of {origin.jobs} jobs ran"))
    if origin.timed:
        counted = f"all {origin.jobs}" if origin.timed == origin.jobs else f"{origin.timed} of {origin.jobs}"
        rows.append(("time of jobs", f"{span(origin.spent)} in {counted} jobs, the sum over the last run of each"))
    for machine, count in origin.machines:
        of_jobs = f" ({count} job{'s' * (count != 1)})" if len(origin.machines) > 1 else ""
        versions = f"wsl {machine.wsl}, Python {machine.python}, torch {machine.torch}"
        rows += [(f"versions{of_jobs}", versions), (f"machine{of_jobs}", hardware(machine))]
    return rows


def span(seconds: float) -> str:
    """Return a duration in words, for example ``8 min 12 s``."""
    minutes, left = divmod(round(seconds), 60)
    if not minutes:
        return f"{left} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s"


def hardware(machine: Machine) -> str:
    """Return a machine in words, without its software."""
    parts = [machine.cpu, f"{machine.cores} core{'s' * (machine.cores != 1)}", f"{machine.memory:g} GB of memory"]
    return ", ".join([*parts, *([machine.gpu] if machine.gpu else []), machine.system])
