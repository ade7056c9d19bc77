"""Hand the jobs of a start of the workflow to a server that forks them, see ``wsl.jobs.server``."""

import atexit
import json
import os
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import ModuleType, SimpleNamespace
from typing import Any, BinaryIO

import psutil

from wsl.jobs import server
from wsl.jobs.process import THREAD_VARIABLES

FEWEST = 3  # jobs for which a server is started: it takes as long to start as a job
SWITCH = "WSL_JOB_SERVER"  # environment variable; 0: no server
COMMON = (
    "snakemake.iocontainers",
    "wsl.config.schema",
    "wsl.jobs.calling",
    "wsl.jobs.history",
    "wsl.jobs.machine",
    "wsl.jobs.process",
    "wsl.settings.registry",
)  # what every job imports


class JobServer:
    """Starts local jobs as forks of a server, where that gives what their commands would give.

    A job is handed over if its command is ``prefix``, this Python and a script, and if it uses one thread, as the
    server does. All other commands, and all jobs if there is no server or if it has ended, are started as without it.
    """

    def __init__(self, prefix: str, stopped: Callable[[], bool]):
        """Args:
        prefix: what precedes the command of each job.
        stopped: whether the workflow is being stopped.
        """
        self._prefix, self._stopped = prefix.strip(), stopped
        self._control: socket.socket | None = None
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None

    def start(self, modules: Iterable[str], shell: ModuleType) -> None:
        """Start the server; it does not wait until the modules are imported.

        Args:
            modules: what the jobs import.
            shell: the module whose ``sp.Popen`` starts the jobs.
        """
        if sys.platform != "linux" or os.environ.get(SWITCH) == "0" or getattr(shell, "sp", None) is not subprocess:
            return
        self._control, other = socket.socketpair()
        with other:
            command = [sys.executable, server.__file__, str(other.fileno()), *modules]
            # pandas imports pyarrow where it is installed, whose allocator would start a thread.
            allocator = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
            environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1"), **allocator}
            # Ctrl-C reaches all processes of a terminal; the workflow stops its jobs.
            ignoring = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command]
            self._process = subprocess.Popen(ignoring, env=environment, pass_fds=[other.fileno()])
        shell.sp = SimpleNamespace(**{**vars(subprocess), "Popen": self.popen})
        atexit.register(self.close)

    def stop(self) -> None:
        """Stop all jobs of the server."""
        if self._process is not None:
            self._process.terminate()

    def close(self) -> None:
        """End the server."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.wait()

    def popen(self, command: str, **options: Any) -> "subprocess.Popen | ServedJob":
        """Start a command: a job by the server, any other as ``subprocess`` does."""

        def directly() -> subprocess.Popen:
            return subprocess.Popen("exit 143" if self._stopped() else command, **options)

        streams = [options.get(name) for name in ("stdin", "stdout", "stderr")]
        script = None if subprocess.PIPE in streams else self._script(command)
        environment = options.get("env") or {}
        if script is None or any(environment.get(name, "1") != "1" for name in THREAD_VARIABLES):
            return subprocess.Popen(command, **options)
        request = {"script": script, "directory": os.getcwd(), "environment": environment}
        standard = [number if stream is None else stream.fileno() for number, stream in enumerate(streams)]
        with suppress(OSError, ValueError):
            ours, theirs = socket.socketpair()
            with theirs, self._lock:
                socket.send_fds(self._control, [b"\n"], [theirs.fileno(), *standard])
            ours.sendall(json.dumps(request).encode() + b"\n")
            answers = ours.makefile("rb")
            ours.close()  # once `answers` is closed
            return ServedJob(int(answers.readline()), answers, directly)
        return directly()

    def _script(self, command: str) -> str | None:
        """Return the script if a command is a job's."""
        prefix, job, rest = command.partition(self._prefix)
        words = shlex.split(rest)
        return words[1] if job and not prefix.strip() and words[:1] == [sys.executable] and len(words) == 2 else None


class ServedJob:
    """A job of the server, with what Snakemake uses of ``Popen``."""

    def __init__(self, pid: int, answers: BinaryIO, directly: Callable[[], subprocess.Popen]):
        self.pid, self.returncode = pid, None
        self._answers, self._directly = answers, directly

    def wait(self) -> int:
        """Return the exit code; start the job again if the server was killed."""
        with self._answers:
            answer = self._answers.readline()
        if answer:
            self.returncode = int(answer)
        else:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(self.pid).wait()  # the kernel has sent it a signal
            self.returncode = self._directly().wait()
        return self.returncode


def modules_of(calls: Iterable[str]) -> list[str]:
    """Return what jobs import that call these functions (dotted names)."""
    return [*COMMON, *sorted({call.rpartition(".")[0] for call in calls if call.startswith("wsl.")})]
