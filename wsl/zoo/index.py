"""The index of one part of the zoo: a virtual dataset over its member files, without copies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from wsl.errors import DataError
from wsl.files.hdf5 import get_table, new_hdf5, open_hdf5, put_table
from wsl.files.opening import remedy
from wsl.images.reading import Normalisation, join_task
from wsl.zoo.factored import storage_of
from wsl.zoo.layout import Layout, first_difference
from wsl.zoo.member import get_layout, open_member, put_layout
from wsl.zoo.sources import Sources

if TYPE_CHECKING:
    import pandas as pd


class Zoo:
    """An opened index; its tables are read on first use, and its weights by ``read_weights``."""

    def __init__(self, file: h5py.File):
        self.file = file
        self.sources = Sources(file)
        self.layout: Layout = get_layout(file)

    @property
    def weights(self) -> h5py.Dataset:
        """The dataset (snapshots, stored numbers), read as float32; do not keep it, see ``Sources``."""
        return self.sources.weights

    @cached_property
    def counters(self) -> np.ndarray:
        """Integer buffers (snapshots, n_counters)."""
        return self.file["counters"][...]

    @cached_property
    def snapshots(self) -> pd.DataFrame:
        """One row per row of ``weights``: ``member``, ``snapshot``, ``epoch``, metrics, ``task`` (``join_task``)."""
        return get_table(self.file, "snapshots")

    @cached_property
    def members(self) -> pd.DataFrame:
        """One row per member: ``member``, ``diverged``, ``digest``, ``task`` and hyper-parameters."""
        return get_table(self.file, "members")

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row per epoch of every member."""
        return get_table(self.file, "history")

    @property
    def typical_counters(self) -> np.ndarray:
        """Integer buffers (n_counters,) for models that are not trained: the rounded mean of all snapshots."""
        return np.rint(self.counters.mean(axis=0)).astype(np.int64)

    @property
    def trained(self) -> np.ndarray:
        """Rows of the ``max`` snapshots, where members are fully trained."""
        return np.flatnonzero(self.snapshots["snapshot"] == "max")


def write_index(
    paths: Sequence[str | Path], out: str | Path, normalisation: Sequence[Sequence[float]] | None = None
) -> None:
    """Write the index ``out`` of the snapshots of members, except those that diverged.

    The index holds the content digest of every member: Snakemake compares small files by checksum, so an index of paths
    alone would leave later files silently stale.

    Args:
        paths: files of the members.
        out: the index.
        normalisation: of the images that the networks read; None: as the members' layout has it.

    Raises:
        DataError: all members diverged, or their layouts differ.
    """
    import pandas as pd

    members, snapshots, histories, counters, sources = [], [], [], [], []
    layouts: dict[Layout, str | Path] = {}
    for path in paths:
        with open_member(path) as file:
            plan = json.loads(file.attrs["plan"])
            diverged = bool(file.attrs["diverged"])
            task = join_task(plan.pop("classes"))
            row = {"member": plan.pop("member"), "task": task, "diverged": diverged, "digest": file.attrs["digest"]}
            members.append({**row, **plan})
            history = get_table(file, "history")
            history.insert(0, "member", row["member"])
            histories.append(history)
            if diverged:
                continue
            table = get_table(file, "snapshots")
            table.insert(0, "member", row["member"])
            table["task"] = task
            snapshots.append(table)
            counters.append(file["counters"][...])
            sources.append((path, len(table), file["weights"].dtype))
            layouts.setdefault(get_layout(file), path)
    if not layouts:
        raise DataError(f"all {len(paths)} members to index in {Path(out).name} diverged; lower zoo.learning_rate")
    layout, *others = layouts
    if others:
        raise DataError(
            f"members to index in {Path(out).name} are of several networks: {first_difference(others[0], layout)} in "
            f"{layouts[others[0]]} and {layouts[layout]}; index them separately"
        )
    if normalisation is not None:
        layout = layout._replace(normalisation=Normalisation(*map(tuple, normalisation)))
    size = storage_of(layout).size
    virtual = h5py.VirtualLayout((sum(count for _, count, _ in sources), size), dtype=np.float32)
    # By default h5py stores the time in virtual datasets, but equal members must give equal indices.
    virtual.dcpl.set_obj_track_times(False)
    start = 0
    for path, count, dtype in sources:
        relative = os.path.relpath(path, Path(out).parent)
        virtual[start : start + count] = h5py.VirtualSource(relative, "weights", (count, size), dtype=dtype)
        start += count
    with new_hdf5(out) as file:
        file.attrs["part"] = Path(out).stem
        put_layout(file, layout, out)
        # A missing member file reads as NaN, which `read_weights` reports.
        file.create_virtual_dataset("weights", virtual, fillvalue=np.nan)
        file.create_dataset("counters", data=np.concatenate(counters))
        put_table(file, "snapshots", pd.concat(snapshots, ignore_index=True))
        put_table(file, "members", pd.DataFrame(members))
        put_table(file, "history", pd.concat(histories, ignore_index=True))


@contextmanager
def open_zoo(path: str | Path) -> Iterator[Zoo]:
    """Open an index for reading.

    Raises:
        DataError: it cannot be opened, is damaged, or is not an index.
    """
    with open_hdf5(path) as file:
        zoo = Zoo(file)
        with closing(zoo.sources):
            yield zoo


def read_weights(zoo: Zoo, rows: slice = slice(None), columns: slice = slice(None)) -> np.ndarray:
    """Return weights, float32 (rows, columns): all columns of a few snapshots, or a named parameter's of all.

    Raises:
        DataError: a member file behind the index cannot be opened, is damaged or holds non-finite weights.
    """
    try:
        values = storage_of(zoo.layout).unpack(partial(zoo.sources.read, rows), columns)
        finite = np.isfinite(values)
        if finite.all():
            return values
        place, column = np.argwhere(~finite)[0]
    except OSError:  # a member file is cut short
        place, column = _first_unreadable(zoo, rows), 0
    row, column = range(len(zoo.weights))[rows][place], range(zoo.layout.size)[columns][column]
    raise DataError(f"member {int(zoo.snapshots['member'].iloc[row])}: {_fault(zoo, row, column)}")


def _first_unreadable(zoo: Zoo, rows: slice) -> int:
    """Return the position among these rows of the first that cannot be read."""
    for place, row in enumerate(range(len(zoo.weights))[rows]):
        try:
            zoo.sources.read(slice(row, row + 1), slice(0, 1))
        except OSError:
            return place
    raise AssertionError("a row could not be read")


def _fault(zoo: Zoo, row: int, column: int) -> str:
    """Return what is wrong with a weight of a snapshot, and the remedy."""
    index = Path(zoo.file.filename)
    non_finite = "holds non-finite weights in " + next(e.name for e in zoo.layout.entries if column < e.columns.stop)
    if (source := zoo.sources.find(row)) is None:
        return f"{index} {non_finite}; {remedy(index, 'use an intact copy')}"
    path, place = source
    try:  # HDF5 does not report why it could not read a member file behind an index
        with open_member(path) as file:
            weights = file["weights"]
            if weights.shape[0] <= place or weights.shape[1] != storage_of(zoo.layout).size:
                return f"{path} holds other snapshots than {index} lists; {remedy(index, 'index the members again')}"
            if np.isfinite(weights[place]).all():
                return f"{path} could not be read at first, but now it can: a lock or a slow disk; run again"
    except DataError as error:
        return str(error)
    return f"{path} {non_finite}; {remedy(path, 'use an intact copy')}"


def read_snapshot(zoo: Zoo, row: int) -> np.ndarray:
    """Return the weights of one snapshot, float32 (n_weights,); see ``read_weights``."""
    return read_weights(zoo, slice(row, row + 1))[0]
