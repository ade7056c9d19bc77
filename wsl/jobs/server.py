"""Start jobs as forks of one process that has imported their libraries, which takes longer than many jobs.

``wsl.launch.serving`` runs this file once per start of the workflow, with the number of a Unix socket and the names of
modules. The process has one thread and uses no GPU, so a fork of it is like a process that has just imported them.
"""

import atexit
import ctypes
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl
_forked: list[str] = []  # in a fork: its script


class Server:
    """Forks one process per request, and reports how it ends.

    A request is a socket of its own, received through ``control`` with the three standard streams of the job. It
    contains one line of JSON: the script, its working directory and its environment. The answers are two lines: the
    number of the process, and its exit code as in ``subprocess``. If the socket closes before the first answer, the
    request was refused.
    """

    def __init__(self, control: socket.socket):
        self._control = control
        self._jobs: dict[int, socket.socket] = {}  # the requests by process
        self._stopped, self._code = False, code_files()
        self._woken, self._wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, self._stop)
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def serve(self) -> dict[str, Any]:
        """Fork until the workflow has ended and all jobs with it.

        Returns:
            The request, in each fork only.
        """
        while self._jobs or not self._stopped:
            for ready, _ in self._selector.select():
                if ready.fileobj is self._control and not self._stopped:
                    request = self._receive()
                    if request is not None:
                        return request
                elif ready.fileobj == self._woken:
                    with suppress(BlockingIOError):
                        os.read(self._woken, 4096)
            self._report()
            if self._stopped and self._control.fileno() >= 0:
                self._selector.unregister(self._control)
                self._control.close()
                for process in self._jobs:
                    os.kill(process, signal.SIGTERM)  # it is not reaped yet, so the number is its own
        os._exit(0)

    def _stop(self, *_: object) -> None:
        self._stopped = True

    def _receive(self) -> dict[str, Any] | None:
        """Accept one request; return it in the fork, and None in the server."""
        try:
            message, descriptors, *_ = socket.recv_fds(self._control, 1, 4)
        except OSError:
            message = b""
        if not message:  # the workflow has ended
            self._stop()
            return None
        job, *streams = descriptors
        request = None
        with socket.socket(fileno=job) as job, suppress(OSError):
            line = job.makefile("rb").readline()
            # Code that was edited since has to be imported again, so such a job starts without the server.
            if line.endswith(b"\n") and code_files(self._code) == self._code:
                request = self._fork(job.dup(), json.loads(line))
        for number, stream in enumerate(streams):
            if request is not None:
                os.dup2(stream, number)
            os.close(stream)
        return request

    def _fork(self, job: socket.socket, request: dict[str, Any]) -> dict[str, Any] | None:
        server = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # until the fork has its own handlers
        try:
            process = os.fork()
            if process:
                self._jobs[process] = job
                job.sendall(b"%d\n" % process)
                return None
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM)
            if os.getppid() != server:
                os._exit(1)
            for opened in (self._selector, self._control, job, *self._jobs.values()):
                opened.close()
            os.close(self._woken)
            os.close(self._wakes)
            return request
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])

    def _report(self) -> None:
        for process, job in [*self._jobs.items()]:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                del self._jobs[process]
                with job, suppress(OSError):
                    job.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def code_files(files: Iterable[str] | None = None) -> dict[str, tuple[int, int] | None]:
    """Return time and size of files, by default those of the imported modules of this project; None: missing."""
    if files is None:
        paths = [getattr(module, "__file__", None) for module in [*sys.modules.values()]]
        files = [path for path in paths if path and path.startswith(f"{PROJECT}/wsl/")]
    found: dict[str, tuple[int, int] | None] = {}
    for path in files:
        found[path] = None
        with suppress(OSError):
            status = os.stat(path)
            found[path] = status.st_mtime_ns, status.st_size
    return found


def preload(modules: Iterable[str]) -> None:
    """Import modules, in silence; one that cannot be imported is left to the jobs, which report the error."""
    with open(os.devnull, "w") as nowhere, warnings.catch_warnings():
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        warnings.simplefilter("ignore")
        try:
            for name in modules:
                with suppress(Exception):
                    import_module(name)
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def run(script: str, directory: str, environment: dict[str, str]) -> None:
    """Run a script as ``python script`` does, and end the process.

    The interpreter is not taken down, which takes longer than many jobs.
    """
    code: int | str | None = 0
    try:
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None
        sys.argv, sys.path[0] = [script], str(Path(script).parent)
        _forked.append(script)
        runpy.run_path(script, run_name="__main__")
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
        code = 1
    with suppress(BaseException):
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit((code or 0) & 0xFF if not isinstance(code, str) else 1)


def leave_fork() -> None:
    """Run the script again in a Python that has imported nothing, if this process is a fork of the server.

    It has the same number and the same parent.
    """
    if _forked:
        os.execv(sys.executable, [sys.executable, *_forked])


def main(control: str, *modules: str) -> None:
    """Import modules, serve, and run a job in each fork."""
    preload(modules)
    if len(os.listdir("/proc/self/task")) > 1:  # the other threads would be missing in a fork
        os._exit(1)
    gc.collect()
    gc.freeze()  # no fork touches, and thereby copies, these objects
    run(**Server(socket.socket(fileno=int(control))).serve())


if __name__ == "__main__":
    sys.path[0] = str(PROJECT)
    from wsl.jobs import server  # under this name jobs know it

    server.main(*sys.argv[1:])
