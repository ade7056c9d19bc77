"""Stop a run on Ctrl-C or SIGTERM: end its jobs, end Snakemake, and print how to resume."""

import atexit
import os
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

import psutil

from wsl.jobs import server

# Before every job's command. Ctrl-C reaches all processes of a terminal. Jobs ignore it, since Python would print a
# traceback; Snakemake's main process stops them. `set` is Snakemake's own prefix.
PREFIX = "set -euo pipefail; trap '' INT; "
FULL = ("--quiet", "host")  # instead of the profile's: Snakemake prints everything, with reasons and lists of files
SCRIPTS = ".snakemake/scripts/"  # in the command line of every job's script
COMMAND = "WSL_COMMAND"  # environment variable: the command of `wsl run`, for the Snakemake that it starts
AGAIN = 0.2  # seconds between two attempts: the first may miss a job that is just starting


class Stopping:
    """Ends Snakemake's main process on SIGINT and SIGTERM.

    The first signal stops the local jobs and ends the process in Snakemake's way: other executors cancel their jobs,
    and the lock is released. A second signal kills the local jobs. ``command`` is the one that resumes the run.
    """

    def __init__(self, command: str):
        self.command, self._kill = command, False
        self.number: int | None = None
        self._hooks: list[Callable[[], None]] = []

    def install(self) -> None:
        """Install the signal handlers; call it again before jobs start, since Snakemake's scheduler handles SIGTERM."""
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)

    def at_stop(self, hook: Callable[[], None]) -> None:
        """Call a function at the first signal."""
        self._hooks.append(hook)

    def end(self) -> None:
        """Raise SystemExit with the exit code that shells expect, if there was a signal."""
        if self.number is not None:
            raise SystemExit(128 + self.number)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            self._kill = True
            return
        self.number = number
        atexit.register(lambda: print(stopped(number, self.command), file=sys.stderr, flush=True))
        for hook in self._hooks:
            hook()
        threading.Thread(target=self._stop_jobs, daemon=True).start()
        # Snakemake's scheduler catches this, waits for the jobs and calls `onerror`; elsewhere it ends the process.
        self.end()

    def _stop_jobs(self) -> None:
        wait = threading.Event()
        while not wait.wait(AGAIN):
            for process in jobs_of(psutil.Process()):
                with suppress(psutil.NoSuchProcess):
                    process.kill() if self._kill else process.terminate()


def jobs_of(main: psutil.Process) -> list[psutil.Process]:
    """Return the processes of Snakemake's local jobs, without the shells that wait for them."""
    jobs = []
    for process in main.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            command = process.cmdline()
            served = server.__file__ in command and process.ppid() != main.pid  # the server itself is a child of main
            if served or (any(SCRIPTS in part for part in command) and not process.children()):
                jobs.append(process)
    return jobs


def stopped(number: int, command: str) -> str:
    """Return the last line of a stopped run."""
    how = {signal.SIGINT: "Interrupted", signal.SIGTERM: "Terminated"}.get(number, f"Stopped by signal {number}")
    return f"{how}; finished files are kept. Resume: {command}"


def this_command(left_out: Sequence[str] = ()) -> str:
    """Return the command that started this process, as typed in a shell, without some consecutive arguments.

    The command of a Snakemake that `wsl run` started is `wsl run`.
    """
    if command := os.environ.get(COMMAND):
        return command
    arguments = sys.argv[1:]
    for place in range(len(arguments)):
        if left_out and arguments[place : place + len(left_out)] == [*left_out]:
            del arguments[place : place + len(left_out)]
            break
    return shlex.join([this_program(), *arguments])


def this_program() -> str:
    """Return the program of this process, as typed in a shell: its name, or its path if a shell finds another one."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":  # python -m
        program = Path(sys.executable).with_name(program.parent.name)
    installed = shutil.which(program.name)
    if installed and os.path.realpath(installed) == os.path.realpath(program):
        return program.name
    inside = program.absolute().is_relative_to(Path.cwd())
    return os.path.relpath(program) if inside else str(program.absolute())
