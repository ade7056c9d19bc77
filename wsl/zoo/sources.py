"""Read the member files behind an index without exceeding the process's limit of open files."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from weakref import WeakSet

import h5py
import numpy as np

from wsl.errors import DataError
from wsl.files.opening import files_left, too_many_files

# HDF5 needs 0.55 MB of memory per open file. Opening one takes 0.4 ms, less than reading a large one.
MOST_OPEN = 1000


class Sources:
    """The weights of an index.

    HDF5 opens a member file at its first read, and closes it with the virtual dataset. Member files that cannot be
    opened read as NaN, without an error.
    """

    def __init__(self, file: h5py.File):
        self.file = file
        self._weights: h5py.Dataset | None = file["weights"]
        self._open: set[int] = set()  # positions in the index
        _OPENED.add(self)

    @property
    def weights(self) -> h5py.Dataset:
        """The dataset (snapshots, stored numbers); do not keep a reference, because ``read`` may close it."""
        if self._weights is None:
            self._weights = self.file["weights"]
        return self._weights

    @cached_property
    def _members(self) -> tuple[np.ndarray, list[Path]]:
        """Row of the index after the last of each member file, and the files."""
        folder, sources = Path(self.file.filename).parent, self.weights.virtual_sources()
        ends = [source.vspace.get_select_bounds()[1][0] + 1 for source in sources]
        return np.array(ends), [Path(os.path.normpath(folder / source.file_name)) for source in sources]

    def find(self, row: int) -> tuple[Path, int] | None:
        """Return the member file that holds a row, and the row's position in it; None: the index holds the weights."""
        if not self.weights.is_virtual:
            return None
        ends, paths = self._members
        place = int(np.searchsorted(ends, row, side="right"))
        return paths[place], row - (int(ends[place - 1]) if place else 0)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Return weights, float32 (rows, columns), read in as many steps as the limit of open files requires.

        Raises:
            DataError: no file can be opened.
            OSError: a member file is damaged.
        """
        places = range(len(self.weights))[rows]
        if not self.weights.is_virtual or not places:
            return self.weights[rows, columns]
        owners = np.searchsorted(self._members[0], places, side="right")
        needed = set(owners.tolist())
        if len(needed - self._open) <= self._room():
            self._open |= needed
            return self.weights[rows, columns]
        values = np.empty((len(places), len(range(self.weights.shape[1])[columns])), dtype=np.float32)
        start = 0
        while start < len(places):
            for sources in _OPENED:
                sources._close_members()
            if not (room := self._room()):
                raise DataError(f"{self.file.filename}: its member files cannot be read: {too_many_files()}")
            stop = int(np.searchsorted(owners, owners[start] + room))
            self._open = set(owners[start:stop].tolist())
            part = slice(places[start], places[stop - 1] + 1, places.step)
            self.weights.read_direct(values, np.s_[part, columns], np.s_[start:stop])
            start = stop
        return values

    def _room(self) -> int:
        """Return the number of member files that may still be opened."""
        return max(min(MOST_OPEN - sum(len(sources._open) for sources in _OPENED), files_left()), 0)

    def _close_members(self) -> None:
        # HDF5 keeps them open until all handles of the dataset are closed, also those of other openings of the index.
        self._weights, self._open = None, set()

    def close(self) -> None:
        """Release the files, since the index is closed."""
        self._open = set()
        _OPENED.discard(self)


_OPENED: WeakSet[Sources] = WeakSet()  # of the whole process: the limit is the process's
