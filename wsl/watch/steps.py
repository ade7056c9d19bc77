"""When each job of a run started and ended, as Snakemake's main process reports it, in a file that only grows."""

import json
import logging
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wsl.watch.record import job_name

NAME = "logs/steps.jsonl"  # in a run's folder
STARTS, ENDS, FAILS = "starts", "ends", "fails"  # of a job
COMPLETED, FAILED, INTERRUPTED = "completed", "failed", "interrupted"  # of the run, whose steps name no job


@dataclass(frozen=True)
class Step:
    """Something that happened.

    Attributes:
        time: when, seconds since 1970.
        job: the job's name; empty for the run as a whole.
        what: one of this module's words.
    """

    time: float
    job: str
    what: str


class StepsHandler(logging.Handler):
    """Writes the steps of a run from the records of Snakemake's logger.

    Args:
        results: the run's folder.
    """

    def __init__(self, results: str | Path):
        super().__init__()
        self.results = Path(results)
        self._names: dict[int, str] = {}  # by Snakemake's numbers
        self._over = False

    def begin(self) -> None:
        """Begin the steps of a start."""
        (self.results / NAME).parent.mkdir(parents=True, exist_ok=True)
        self._append("\n")  # the last line of a start that was killed may lack its end

    def emit(self, record: logging.LogRecord) -> None:
        """Write the step that a record of Snakemake tells of, if it tells of one."""
        event = str(getattr(record, "event", ""))
        if self._over:  # an interrupted run's jobs do not fail: they are stopped
            return
        if event == "job_info" and record.log:
            name = job_name(Path(os.path.relpath(record.log[0], self.results)).as_posix())
            self._names[record.jobid] = name
            self.add(STARTS, name)
        elif event == "job_finished" and record.job_id in self._names:
            self.add(ENDS, self._names[record.job_id])
        elif event == "job_error" and record.jobid in self._names:
            self.add(FAILS, self._names[record.jobid])

    def add(self, what: str, job: str = "") -> None:
        """Write a step; after one that ends the run, no job's step follows."""
        self._over = not job
        self._append(json.dumps({"time": round(time.time(), 3), "job": job, "what": what}) + "\n")

    def _append(self, text: str) -> None:
        with suppress(OSError), open(self.results / NAME, "a", encoding="utf-8") as file:  # jobs report a full disk
            file.write(text)


def parse_steps(text: str) -> list[Step]:
    """Return the steps in the text of a file; lines that are not whole are left out."""
    found = []
    for line in text.splitlines():
        with suppress(ValueError, TypeError):
            found.append(Step(**json.loads(line)))
    return found


def durations(steps: Iterable[Step]) -> dict[str, float]:
    """Return how many seconds each job took when it last ended."""
    begun: dict[str, float] = {}
    took = {}
    for step in steps:
        if step.what == STARTS:
            begun[step.job] = step.time
        elif step.what == ENDS and step.job in begun:
            took[step.job] = max(step.time - begun.pop(step.job), 0.0)
    return took
