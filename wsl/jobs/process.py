"""The environment of a job: log file, limits on threads and open files, a leased device."""

import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import dropwhile
from pathlib import Path
from types import FrameType

from wsl.errors import ConfigError, DataError
from wsl.files.opening import raise_file_limit
from wsl.files.text import forgive_output
from wsl.jobs.devices import lease, visible_devices
from wsl.jobs.server import leave_fork

FORMAT = "%(asctime)s %(levelname)s %(message)s"
FAILED, STOPPED = "the job failed", "the job was stopped"  # messages; an error follows the first
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@contextmanager
def job(log: str | Path, threads: int = 1, gpu: int = 0) -> Iterator[str]:
    """Run a job's work with its messages and standard error in ``log``.

    Numeric libraries read the thread limits when they are imported, and torch the visible devices, so import them
    inside the block.

    Args:
        log: the log file, written as UTF-8.
        threads: thread limit of numeric libraries.
        gpu: 1 to lease a GPU, if there are any.

    Yields:
        The device, ``cuda`` or ``cpu``.

    Raises:
        SystemExit: an error that the user can fix; its message is the last line of the log.
        BaseException: any other error; the log ends with its traceback.
    """
    if gpu and visible_devices():
        leave_fork()  # torch, which may be imported already, looks for devices once
    raise_file_limit()
    forgive_output()
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(threads)
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    for library in ("matplotlib", "PIL", "open_clip", "fontTools"):  # their messages would fill the log
        logging.getLogger(library).setLevel(logging.WARNING)
    with ExitStack() as stack:
        stack.enter_context(_standard_error_to(Path(log)))
        stack.enter_context(stopped_by_sigterm())
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=FORMAT, force=True)
        logging.captureWarnings(True)
        warnings.simplefilter("default")
        warnings.formatwarning = lambda message, category, file, line, _=None: (
            f"{category.__name__}: {message}\n  {file}:{line}"
        )
        try:
            yield stack.enter_context(lease()) if gpu else "cpu"
        except (ConfigError, DataError) as error:
            logging.error("%s\n%s", FAILED, error)
            raise SystemExit(str(error)) from None  # printed too, since a full disk may have cut the log
        except SystemExit:
            logging.info(STOPPED)
            raise
        except BaseException:
            logging.exception(FAILED)
            raise


def warnings_in(log: str) -> list[str]:
    """Return the first line of each distinct warning in the text of a job's log."""
    return list(dict.fromkeys(text.strip() for level, text in _messages(log) if level == "WARNING"))


def error_in(log: str) -> str | None:
    """Return the error in the text of a job's log, on one line; None if the job runs, succeeded or was stopped."""
    _, failed, text = log.rpartition(f"ERROR {FAILED}")
    if not failed:
        return None
    lines = text.rstrip().splitlines()[1:]
    frames = [place for place, line in enumerate(lines) if line.startswith('  File "')]
    if frames:  # the error follows the last frame, whose lines of code are indented by four
        lines = list(dropwhile(lambda line: line.startswith("    "), lines[frames[-1] + 1 :]))
    return " ".join(line.strip() for line in lines if not line.startswith("Traceback")) or "no message"


def stopped_in(log: str) -> bool:
    """Return whether the text of a log reports that its job was stopped."""
    return ("INFO", STOPPED) in _messages(log)


def _messages(log: str) -> Iterator[tuple[str, str]]:
    """Yield level and first line of each message."""
    for line in log.split("\n")[:-1]:  # the last line may be incomplete
        _, _, level, text, *_ = (*line.split(" ", 3), "", "", "", "")
        if level in ("INFO", "WARNING", "ERROR"):
            yield level, text


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Make SIGTERM raise SystemExit, so that temporary files are removed and no traceback is printed."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal must not stop the clean-up
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _standard_error_to(path: Path) -> Iterator[None]:
    sys.stderr.flush()
    kept, encoding = os.dup(2), sys.stderr.encoding
    with open(path, "w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 2)
    with suppress(AttributeError):  # another kind of stream
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        yield
    finally:
        with suppress(OSError):  # a full disk: the rest goes to the terminal
            sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        with suppress(AttributeError):
            sys.stderr.reconfigure(encoding=encoding, errors="backslashreplace")
