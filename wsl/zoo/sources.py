"""Read the files of members behind an index."""

from __future__ import annotations

import os
from collections import OrderedDict
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from wsl.errors import DataError
from wsl.files.opening import hdf5_fault, remedy
from wsl.zoo.member import in_words

MOST_OPEN = 100  # files that are kept open: opening one takes 0.4 ms, and each takes 0.5 MB of memory


class Places(NamedTuple):
    """Where the rows of an index lie."""

    files: list[Path]
    owners: np.ndarray  # position in ``files`` of each row
    rows: np.ndarray  # row in the file of each row


class Sources:
    """The weights of an index.

    The index is a virtual dataset, so that any HDF5 program can read it. HDF5 itself takes several times as long for it
    as this class, and reads a file that it cannot open as NaN.
    """

    def __init__(self, file: h5py.File):
        self.file = file
        self.weights: h5py.Dataset = file["weights"]
        self._open: OrderedDict[int, h5py.Dataset] = OrderedDict()  # by position among the files

    @cached_property
    def places(self) -> Places | None:
        """Where the rows lie; None: the index holds the weights."""
        if not self.weights.is_virtual:
            return None
        folder, files = Path(self.file.filename).parent, {}
        owners, rows = (np.empty(len(self.weights), dtype=np.int64) for _ in range(2))
        for source in self.weights.virtual_sources():
            first, last = (bound[0] for bound in source.vspace.get_select_bounds())
            start = source.src_space.get_select_bounds()[0][0]
            owners[first : last + 1] = files.setdefault(source.file_name, len(files))
            rows[first : last + 1] = np.arange(start, start + last - first + 1)
        return Places([Path(os.path.normpath(folder / name)) for name in files], owners, rows)

    def find(self, row: int) -> Path:
        """Return the file that holds a row."""
        return Path(self.file.filename) if self.places is None else self.places.files[self.places.owners[row]]

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Return weights, float32 (rows, columns).

        Raises:
            DataError: a file cannot be opened, is damaged, or is not the one that was indexed.
        """
        if self.places is None:
            return self.weights[rows, columns]
        start, stop, _ = columns.indices(self.weights.shape[1])
        chosen = np.arange(len(self.weights))[rows]
        values = np.empty((len(chosen), max(stop - start, 0)), dtype=np.float32)
        owners, places = self.places.owners[chosen], self.places.rows[chosen]
        ends = np.flatnonzero((np.diff(owners) != 0) | (np.diff(places) < 1)) + 1
        for part in np.split(np.arange(len(chosen)), ends) if len(chosen) else ():  # rows of one file
            owner = owners[part[0]]
            try:
                _fill(values[part[0] : part[-1] + 1], self._dataset(owner), places[part], slice(start, stop))
            except (OSError, RuntimeError, ValueError, KeyError) as error:
                raise self._fault(owner, hdf5_fault(self.places.files[owner], error)) from error
        return values

    def _dataset(self, owner: int) -> h5py.Dataset:
        """Return the weights in a file, which stays open."""
        if owner in self._open:
            self._open.move_to_end(owner)
            return self._open[owner]
        while len(self._open) >= MOST_OPEN:
            self._open.popitem(last=False)[1].file.close()
        path = self.places.files[owner]
        try:
            # Without a cache of chunks, which would read whole chunks for single rows.
            file = h5py.File(path, rdcc_nbytes=0)
        except OSError:
            self.close()  # perhaps the limit of open files is reached
            file = h5py.File(path, rdcc_nbytes=0)
        if "weights" not in file or not self._fits(owner, file["weights"].shape):
            file.close()
            index = self.file.filename
            other = f"{path} holds other snapshots than {index} lists; {remedy(index, 'index the members again')}"
            raise self._fault(owner, other)
        self._open[owner] = file["weights"]
        return self._open[owner]

    def _fits(self, owner: int, shape: tuple[int, ...]) -> bool:
        last = self.places.rows[self.places.owners == owner].max()
        return len(shape) == 2 and shape[0] > last and shape[1] == self.weights.shape[1]

    def _fault(self, owner: int, fault: str) -> DataError:
        """Return an error that names the members in a file."""
        numbers = self.file["snapshots/member"][...][self.places.owners == owner]
        return DataError(f"{in_words(numbers.tolist())}: {fault}")

    def close(self) -> None:
        """Close the files."""
        while self._open:
            self._open.popitem()[1].file.close()


def _fill(values: np.ndarray, dataset: h5py.Dataset, rows: np.ndarray, columns: slice) -> None:
    """Read columns of ascending rows of a dataset into ``values`` (rows, columns)."""
    chosen, done = dataset.id.get_space(), 0
    # One step per run of neighbouring rows, since HDF5 is slow at irregular selections; h5py's own reading is not used
    # because it takes longer than such a step.
    for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        part = values[done : done + len(run)]
        chosen.select_hyperslab((int(run[0]), columns.start), part.shape)
        dataset.id.read(h5py.h5s.create_simple(part.shape), chosen, part)
        done += len(run)
