"""Start Snakemake for a run, show its progress, and report how it ended."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self, TextIO

from filelock import lock_descriptor
from rich.console import Console

from wsl.errors import ConfigError, DataError
from wsl.launch.brief import CHATTER, PLACES
from wsl.launch.places import snakefile
from wsl.launch.planning import PlannedRun
from wsl.launch.stopping import COMMAND, FULL, this_program
from wsl.watch.record import read_record
from wsl.watch.remaining import timer
from wsl.watch.screen import View
from wsl.watch.state import Logs, State, look

NOTHING = "Nothing to be done"  # as Snakemake prints it
LINES = 40  # last lines of a log that are shown
LOG = "logs/snakemake.log"  # in a run's folder: everything that Snakemake prints
ALL = "all"  # Snakemake's word for all cores
PLANNING = 0.5  # seconds between two checks until the jobs are recorded
MOST = 4  # the first signal stops the jobs, the next ones kill them, the fourth kills Snakemake as well
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Ending:
    """How Snakemake ended.

    Attributes:
        code: its exit code.
        started: whether it started jobs.
        state: the run's last state, from an earlier start if this one had no jobs; None: there was no start.
        log: the file with everything that it printed.
    """

    code: int
    started: bool
    state: State | None
    log: Path

    @property
    def nothing(self) -> bool:
        """Whether there was nothing to do."""
        return not self.code and NOTHING in self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def printed(self) -> str:
        """The last lines that it printed, without those that do not help a user."""
        text = PLACES.sub("", self.log.read_text(encoding="utf-8", errors="replace"))
        lines = [line for line in text.splitlines() if line.strip() and not CHATTER.match(line)]
        return "\n".join(lines[-LINES:])


class Signals:
    """Handles Ctrl-C, SIGTERM and the end of the terminal in a ``with`` block, and passes them on to Snakemake.

    Snakemake runs in its own session, so that Ctrl-C does not reach its jobs directly.

    Attributes:
        number: number of the first signal; None: there was none.
    """

    def __init__(self):
        self.number: int | None = None
        self._count = 0
        self._process: subprocess.Popen | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def attach(self, process: subprocess.Popen) -> None:
        """Pass signals on to a process, including one that was received before it started."""
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


@dataclass(frozen=True)
class Start:
    """How Snakemake is started.

    Attributes:
        cores: its ``--cores``.
        arguments: its other arguments.
        again: whether it prints the command ``wsl run`` that starts it again; False: its own command.
    """

    cores: str
    arguments: Sequence[str] = ()
    again: bool = True

    def command(self, run: PlannedRun, *options: str) -> list[str]:
        """Return the command that starts it for a run, with more options."""
        place = snakefile()
        options = (*options, *(("--snakefile", str(place)) if place else ()), "--configfile", str(run.config))
        # `-P`: modules in the working directory do not replace those of Python. `--cores` is last, since it takes one
        # value: a target after `--configfile` would be read as another config.
        python = (sys.executable, "-P", "-m", "snakemake")
        return [*python, *options, "--cores", self.cores, *self.arguments]

    def environment(self, run: PlannedRun) -> dict[str, str]:
        """Return its environment variables."""
        if not self.again:
            return {**os.environ}
        cores = () if self.cores == ALL else ("--cores", self.cores)
        rest = ("--", *self.arguments) if self.arguments else ()
        return {**os.environ, COMMAND: shlex.join([this_program(), "run", run.given, *cores, *rest])}


def ask(run: PlannedRun, start: Start) -> int:
    """Pass a request on to Snakemake, see ``wsl.launch.planning.asks``; it answers in the terminal.

    Returns:
        Its exit code.
    """
    return subprocess.run(start.command(run), env=start.environment(run), check=False).returncode


def make_run(run: PlannedRun, title: str, start: Start, console: Console, signals: Signals) -> Ending:
    """Make a run with Snakemake, and show its state until Snakemake ends.

    Args:
        run: the run.
        title: its name on the screen.
        start: how Snakemake is started.
        console: the screen.
        signals: passes signals on.

    Raises:
        ConfigError: another process is making this run.
    """
    log = run.results / LOG
    streams = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    with _opened(log) as file:
        process = subprocess.Popen(
            start.command(run, *FULL), env=start.environment(run), stdout=file, start_new_session=True, **streams
        )
    signals.attach(process)
    states, started = _states(run.results, process.pid), False
    begun = time.monotonic()
    with View(title, run.results, console, transient=True) as view:
        while not _ended(process, view.every if started else PLANNING):
            started, state = next(states)
            if signals.number is not None:
                view.note("the jobs are being stopped; Ctrl-C again kills them")
            elif started:
                view(state)
            else:
                view.note(f"Snakemake plans the jobs ({time.monotonic() - begun:.0f} s)")
    started, state = next(states)
    return Ending(process.returncode, started, state, log)


@contextmanager
def _opened(log: Path) -> Iterator[TextIO]:
    """Open a log for writing; Snakemake and its jobs inherit its lock."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a", encoding="utf-8") as file:
        locked = True
        with suppress(OSError):  # a file system without locks
            locked = lock_descriptor(file.fileno(), blocking=False)
        if not locked:
            folder = log.parents[1]
            raise ConfigError(f"{folder} is being made by another process; watch it: wsl watch {folder}")
        file.truncate(0)
        yield file


def _ended(process: subprocess.Popen, seconds: float) -> bool:
    """Return whether a process ends within ``seconds``."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


def _states(results: Path, process: int) -> Iterator[tuple[bool, State | None]]:
    """Yield whether a process has recorded its jobs, and the state of the run; None: it was never started."""
    logs, timed, started, record = Logs(results), timer(results), False, None
    while True:
        if not started:
            with suppress(DataError):
                record = read_record(results)
                started = (record.process, record.host) == (process, os.uname().nodename)
        yield started, None if record is None else timed(look(results, record, logs))
