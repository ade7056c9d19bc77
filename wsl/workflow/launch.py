"""Start Snakemake for a run, show how far it is, and tell how it ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console

from wsl.errors import DataError
from wsl.watch.following import View
from wsl.watch.logs import Logs
from wsl.watch.record import Record, read_record
from wsl.watch.remaining import Remaining, Steady
from wsl.watch.state import State, look
from wsl.workflow.brief import CHATTER, PLACES
from wsl.workflow.planning import Planned
from wsl.workflow.stopping import FULL

NOTHING = "Nothing to be done"  # as Snakemake prints it
LINES = 40  # of a log that are worth showing
LOG = "logs/snakemake.log"  # in a run's folder: everything that Snakemake prints
MOST = 4  # the first signal stops the jobs and the next ones kill them; so many kill Snakemake as well
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Ending:
    """How Snakemake ended.

    Attributes:
        code: its exit code.
        state: the run's last state; None where no job was started.
        log: the file that holds everything that it printed.
    """

    code: int
    state: State | None
    log: Path


class Signals(AbstractContextManager):
    """Receives Ctrl-C, SIGTERM and the end of the terminal, and passes them on to Snakemake.

    Snakemake runs in a session of its own, so that Ctrl-C reaches it and its jobs in this way alone.

    Attributes:
        number: of the first signal; None while none came.
    """

    def __init__(self):
        self.number: int | None = None
        self._count = 0
        self._process: subprocess.Popen | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def attach(self, process: subprocess.Popen) -> None:
        """Pass signals on to a process, one that came before it was started included."""
        self._process = process
        if self.number is not None:
            process.send_signal(signal.SIGINT)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.number = self.number or number
        self._count += 1
        if self._process is None or self._process.poll() is not None:
            return
        if self._count < MOST:
            self._process.send_signal(signal.SIGINT)
        else:
            os.killpg(self._process.pid, signal.SIGKILL)


def make_run(
    run: Planned, title: str, cores: str, arguments: Sequence[str], console: Console, signals: Signals
) -> Ending:
    """Make a run, and show it until Snakemake ends.

    Args:
        run: the run.
        title: what to call it on the screen.
        cores: Snakemake's ``--cores``.
        arguments: more arguments of Snakemake.
        console: where to show it.
        signals: passes signals on.
    """
    log = run.results / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "snakemake", *FULL, "--cores", cores, "--configfile", str(run.config), *arguments]
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    signals.attach(process)
    watched = _Watched(run.results, process.pid)
    begun = time.monotonic()
    with View(title, run.results, console, transient=True) as view:
        while not _ended(process, view.every if watched.started else 0.5):
            state = watched.look()
            if signals.number is not None:
                view.note("the jobs are being stopped; Ctrl-C again kills them")
            elif state is not None:
                view(state)
            else:
                view.note(f"Snakemake plans the jobs ({time.monotonic() - begun:.0f} s)")
    return Ending(process.returncode, watched.look(), log)


def _ended(process: subprocess.Popen, seconds: float) -> bool:
    """Wait for a process, so many seconds at most, and return whether it has ended."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


class _Watched:
    """Looks at a run that a process makes, from the moment when that process has recorded its jobs."""

    def __init__(self, results: Path, process: int):
        self.results, self.process = results, process
        self._logs, self._record = Logs(results), None
        self._remaining, self._steady = Remaining(results), Steady()

    @property
    def started(self) -> bool:
        return self._record is not None

    def look(self) -> State | None:
        """Return the run's state; None where no job was started yet."""
        self._record = self._record or self._read()
        if self._record is None:
            return None
        state = look(self.results, self._record, self._logs)
        return replace(state, left=self._steady(self._remaining(state), state.time))

    def _read(self) -> Record | None:
        try:
            record = read_record(self.results)
        except DataError:
            return None
        return record if record.process == self.process and record.host == os.uname().nodename else None


def plain_text(log: Path) -> str:
    """Return the end of what Snakemake printed, without the lines that it prints at each start."""
    text = PLACES.sub("", log.read_text(encoding="utf-8", errors="replace"))
    lines = [line for line in text.splitlines() if line.strip() and not CHATTER.match(line)]
    return "\n".join(lines[-LINES:])
