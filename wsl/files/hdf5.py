"""HDF5 files: written atomically, read with checks, and tables in them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING

import h5py
import numpy as np

from wsl.errors import DataError
from wsl.files.atomic import written_whole
from wsl.files.opening import hdf5_fault, remedy

# Jobs that read no table start without pandas, whose import takes longer than many jobs.
if TYPE_CHECKING:
    import pandas as pd

BLOCK = 2**26  # bytes that a check for damage reads at once


@contextmanager
def new_hdf5(path: str | Path, large: bool = False) -> Iterator[h5py.File]:
    """Open a new HDF5 file, which replaces ``path`` if the block ends without an error.

    A file that is not ``large`` is assembled in memory, since HDF5 2.0 crashes the process (segmentation fault) if the
    disk fills up while it writes its own tables.
    """
    with written_whole(path) as temporary:
        target = temporary if large else io.BytesIO()
        with h5py.File(target, "w") as file:
            yield file
        if not large:
            temporary.write_bytes(target.getbuffer())


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Raises:
        DataError: the file cannot be opened, is damaged, or lacks something that the block reads.
    """
    try:
        # Without a cache of chunks, which would read whole chunks for single rows.
        file = h5py.File(path, rdcc_nbytes=0)
    except OSError as error:
        raise DataError(hdf5_fault(path, error)) from error
    with file:
        try:
            yield file
        except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
            is_text = isinstance(error, UnicodeError | json.JSONDecodeError)  # damaged names, tables or settings
            if not is_text and not _from_h5py(error):
                raise
            if damage := error if is_text else _damage(file):
                raise DataError(hdf5_fault(path, damage)) from error
            if not isinstance(error, KeyError):
                raise
            fault = f"{path} is not the kind of file that is needed here, or from another version of wsl"
            raise DataError(f"{fault} ({error.args[0]}); {remedy(path, 'give another file')}") from error


def _from_h5py(error: BaseException) -> bool:
    """Return whether h5py itself raised an error, not the code that uses it."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__", "").startswith("h5py.")


def _damage(file: h5py.File) -> Exception | None:
    """Return the error that h5py raises while it reads the whole file; None if there is none."""

    def read(name: str, node: h5py.Group | h5py.Dataset) -> None:
        dict(node.attrs)
        if isinstance(node, h5py.Group) or node.is_virtual:  # virtual datasets are read from other files
            return
        if not node.shape:
            node[()]
            return
        step = max(len(node) * BLOCK // max(node.nbytes, 1), 1)
        for start in range(0, len(node), step):
            node[start : start + step]

    try:
        dict(file.attrs)
        file.visititems(read)
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        return error
    return None


def put_table(parent: h5py.Group, name: str, table: pd.DataFrame) -> None:
    """Store a table without its row labels as a new group with one dataset per column; text as UTF-8."""
    group = parent.create_group(name)
    group.attrs["columns"] = list(table.columns)
    for column in table.columns:
        values = table[column].to_numpy()
        text = values.dtype.kind in "OUT"
        data, dtype = ([str(value) for value in values], h5py.string_dtype()) if text else (values, None)
        group.create_dataset(column, data=data, dtype=dtype)


def get_table(parent: h5py.Group, name: str) -> pd.DataFrame:
    """Return the table that ``put_table`` stored."""
    import pandas as pd

    group = parent[name]
    columns = {}
    for column in group.attrs["columns"]:
        dataset = group[column]
        text = h5py.check_string_dtype(dataset.dtype) is not None
        columns[column] = list(dataset.asstr()[...]) if text else np.asarray(dataset[...])
    return pd.DataFrame(columns)


def part_of(path: str | Path) -> str:
    """Return the part of the zoo, such as ``train``, that an index, coefficients or latents belong to."""
    with open_hdf5(path) as file:
        return str(file.attrs.get("part", Path(path).stem))  # files of earlier versions have only the name
