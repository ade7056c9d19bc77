"""Files that appear whole or not at all, and tables in HDF5."""

from __future__ import annotations

import errno
import glob
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from wsl.errors import DataError
from wsl.opening import hdf5_fault, opening_fault, too_many_files
from wsl.remaking import remedy

Files = Sequence[str | Path] | str | Path  # files, or one that lists them, see ``listed``

# Jobs that read no table start without pandas, which takes longer to import than many of them run.
if TYPE_CHECKING:
    import pandas as pd


# A disk, a quota or a limit on the size of files.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
BLOCK = 2**26  # bytes that are read at once where a file is only checked


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it takes the name ``path`` only when the block ends well.

    Raises:
        DataError: the folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.touch()
        mode = beside.stat().st_mode
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); {_remedy(error)}") from error
    try:
        yield beside
        if beside.stat().st_mode != mode:  # safetensors makes files that their owner alone can read
            beside.chmod(mode)
        os.replace(beside, path)
    except DataError:  # of another file
        raise
    except Exception as error:
        if reason := _full(error):
            raise DataError(f"{path} cannot be written ({reason}); {_remedy(error)}") from error
        raise
    finally:
        beside.unlink(missing_ok=True)
        for torn in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            if not Path("/proc", torn.name.split(".")[-2]).exists():  # its writer was killed
                torn.unlink(missing_ok=True)


def _full(error: BaseException | None) -> str | None:
    """Return in what words a system says that there is no room, where an error, or what it came from, says so."""
    # Libraries raise errors of their own: HDF5 and safetensors with the system's words inside, torch without.
    while error is not None:
        for code in FULL:
            if getattr(error, "errno", None) == code or os.strerror(code) in str(error):
                return os.strerror(code)
        error = error.__context__
    return None


def _remedy(error: BaseException) -> str:
    if _full(error):
        return "free disk and run again: what was made before is kept"
    code = getattr(error, "errno", None)
    if code in (errno.EMFILE, errno.ENFILE):
        return too_many_files()
    if code == errno.ENAMETOOLONG:
        return "choose a shorter name"
    if code in (errno.EEXIST, errno.ENOTDIR):
        return "a file lies where its folder should be; name another place"
    return "make its folder writable, or name another place"


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Yield a folder beside ``path`` to write into; it takes the name ``path`` only when the block ends well.

    Raises:
        DataError: ``path`` is there already.
    """
    path = Path(path)
    if path.exists():
        raise DataError(f"{path} is there already; name another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    beside.mkdir()
    try:
        yield beside
        os.rename(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def file_inside(folder: Path, name: str | Path) -> Path:
    """Return the path of a file by its name in a folder.

    Raises:
        DataError: there is no such file, or it lies elsewhere, by its name or through a link.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{path} lies outside {folder}; only what lies in that folder is read: copy the file into it")
    if not path.is_file():
        raise DataError(f"{path} is missing; add the file, or take out what names it")
    return path


@contextmanager
def new_hdf5(path: str | Path, large: bool = False) -> Iterator[h5py.File]:
    """Open a new HDF5 file that appears at ``path`` when the block ends well.

    It is made in memory, unless it is ``large``: HDF5 2.0 that meets a full disk while it writes its own tables takes
    the whole process with it (a segmentation fault).
    """
    with written_whole(path) as beside:
        made = beside if large else io.BytesIO()
        with h5py.File(made, "w") as file:
            yield file
        if not large:
            beside.write_bytes(made.getbuffer())


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Raises:
        DataError: it cannot be opened, its content is damaged, or it lacks what is read from it; the message names the
            cause.
    """
    try:
        file = h5py.File(path)
    except OSError as error:
        raise DataError(hdf5_fault(path, error)) from error
    with file:
        try:
            yield file
        except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
            text = isinstance(error, UnicodeError | json.JSONDecodeError)  # damaged names, tables or settings
            if not text and not _of_h5py(error):
                raise
            if damage := error if text else _damage(file):
                raise DataError(hdf5_fault(path, damage)) from error
            if not isinstance(error, KeyError):
                raise
            lacks = f"{path} is not of the kind that is needed here, or of another version of wsl ({error.args[0]})"
            raise DataError(f"{lacks}; {remedy(path, 'give another file')}") from error


def _of_h5py(error: BaseException) -> bool:
    """Return whether h5py raised an error itself, and not the code that uses it."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("h5py.")


def _damage(file: h5py.File) -> Exception | None:
    """Return what h5py raises when it reads all that a file holds; None: nothing."""

    def read(name: str, holder: h5py.Group | h5py.Dataset) -> None:
        dict(holder.attrs)
        if isinstance(holder, h5py.Group) or holder.is_virtual:  # virtual datasets are read from other files
            return
        if not holder.shape:
            holder[()]
            return
        step = max(len(holder) * BLOCK // max(holder.nbytes, 1), 1)
        for start in range(0, len(holder), step):
            holder[start : start + step]

    try:
        dict(file.attrs)
        file.visititems(read)
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        return error
    return None


def write_json(path: str | Path, content: Any) -> None:
    """Write ``content`` as JSON, whole or not at all."""
    with written_whole(path) as beside:
        beside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: it cannot be opened, or is not JSON.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(opening_fault(path, error)) from error
    try:
        return json.loads(content.decode("utf-8-sig"))
    except ValueError as error:
        raise DataError(f"{path} is not whole JSON ({error}); {remedy(path, 'correct it, or give another')}") from error


def within(folder: str | Path, path: str | Path) -> Path:
    """Return a path as it is written, less its detours, if it lies in a folder, links in it aside.

    Raises:
        DataError: it leaves the folder.
    """
    found, inside = (Path(os.path.abspath(one)) for one in (path, folder))
    if not found.is_relative_to(inside):
        raise DataError(f"{path} lies outside {folder}, which must hold all that belongs to it; do not use it")
    return Path(os.path.normpath(path))


def file_digest(path: str | Path) -> str:
    """Return a file's SHA-256."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_files(files: Sequence[str | Path], out: str | Path) -> None:
    """Write a list of files with a digest of each, so that a job may depend on one small file in place of a thousand.

    The digests make what depends on it stale when a file changes, since Snakemake compares small files by content. The
    files lie in the list's folder.
    """
    write_json(out, {os.path.relpath(path, Path(out).parent): file_digest(path) for path in files})


def listed(files: Files) -> list[Path]:
    """Return paths as they are given, or those in a list that ``list_files`` wrote.

    Raises:
        DataError: a file of the list is missing, or lies outside the list's folder.
    """
    if not isinstance(files, str | Path):
        return [Path(path) for path in files]
    folder = Path(files).parent
    paths = [within(folder, folder / name) for name in read_json(files)]
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path} is missing; {remedy(path, f'restore it, or list the files of {files} again')}")
    return paths


def part_of(path: str | Path) -> str:
    """Return the part of the zoo, ``train``, that an index, a file of coefficients or a file of latents belongs to.

    Files of earlier versions do not hold it, and are named after it.
    """
    with open_hdf5(path) as file:
        return str(file.attrs.get("part", Path(path).stem))


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV without its row labels, whole or not at all."""
    with written_whole(path) as beside:
        table.to_csv(beside, index=False)


def put_table(parent: h5py.Group, name: str, table: pd.DataFrame) -> None:
    """Store ``table`` as a group of one dataset a column; text as variable-length UTF-8."""
    group = parent.create_group(name)
    group.attrs["columns"] = list(table.columns)
    for column in table.columns:
        values = table[column].to_numpy()
        if values.dtype.kind in "OUT":
            group.create_dataset(column, data=[str(v) for v in values], dtype=h5py.string_dtype())
        else:
            group.create_dataset(column, data=values)


def get_table(parent: h5py.Group, name: str) -> pd.DataFrame:
    """Read back what ``put_table`` stored."""
    import pandas as pd

    group = parent[name]
    columns = {}
    for column in group.attrs["columns"]:
        dataset = group[column]
        text = h5py.check_string_dtype(dataset.dtype) is not None
        columns[column] = list(dataset.asstr()[...]) if text else np.asarray(dataset[...])
    return pd.DataFrame(columns)
