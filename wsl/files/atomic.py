"""Files and folders that are written atomically."""

import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wsl.errors import DataError
from wsl.files.opening import full_disk, writing_fault


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path to write to, which is renamed to ``path`` if the block ends without an error.

    Missing folders are created.

    Raises:
        DataError: the folder is not writable, or the disk is full.
    """
    path = Path(path)
    with _temporary(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
    try:
        yield temporary
        if temporary.stat().st_mode != mode:  # safetensors creates files that only their owner can read
            temporary.chmod(mode)
        os.replace(temporary, path)
    except DataError:  # about another file
        raise
    except Exception as error:
        if full_disk(error):
            raise DataError(writing_fault(path, error)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            if not _runs(leftover.name.split(".")[-2]):  # its writer was killed
                leftover.unlink(missing_ok=True)


def _runs(process: str) -> bool:
    import psutil  # rarely needed, and its import takes time

    return process.isdecimal() and psutil.pid_exists(int(process))


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder to write into, which is renamed to ``path`` if the block ends without an error.

    Raises:
        DataError: ``path`` exists already, or cannot be written.
    """
    path = Path(path)
    if path.exists():
        raise DataError(f"{path} exists already; name another folder")
    with _temporary(path) as temporary:
        temporary.mkdir()
    try:
        yield temporary
        os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def staging(folder: str | Path) -> Iterator[Path]:
    """Yield a temporary folder in ``folder``, on the same disk, to move complete files from.

    It is removed at the end, as are those of processes that were killed.

    Raises:
        DataError: the folder cannot be written.
    """
    import psutil  # slow, and rarely needed

    folder = Path(folder)
    with _temporary(folder / "new") as temporary:
        for leftover in folder.glob(".new.*.part"):
            if not psutil.pid_exists(int(leftover.name.split(".")[-2])):
                shutil.rmtree(leftover, ignore_errors=True)
        temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Yield the temporary path, to be created in the block."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path.with_name(f".{path.name}.{os.getpid()}.part")
    except OSError as error:
        raise DataError(writing_fault(path, error)) from error
