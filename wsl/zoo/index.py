"""The index of one part of the zoo: a virtual dataset over the files of its members, without copies."""

from __future__ import annotations

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
from wsl.zoo.member import get_layout, open_members, put_layout
from wsl.zoo.snapshots import snapshot_names
from wsl.zoo.sources import Sources

if TYPE_CHECKING:
    import pandas as pd

ABOUT = ("diverged", "digest")  # columns of a file of members that its index has too
MOST_NAMED = 3  # files in a message


class Zoo:
    """An opened index; its tables are read on first use, and its weights by ``read_weights``."""

    def __init__(self, file: h5py.File):
        self.file = file
        self.sources = Sources(file)
        self.layout: Layout = get_layout(file)

    @property
    def weights(self) -> h5py.Dataset:
        """The dataset (snapshots, stored numbers), read as float32."""
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
    def files(self) -> dict[int, Path]:
        """The file of each member with snapshots, by its number."""
        numbers = self.snapshots["member"].tolist()
        return {number: self.sources.find(row) for row, number in enumerate(numbers)}

    @property
    def typical_counters(self) -> np.ndarray:
        """Integer buffers (n_counters,) for models that are not trained: the rounded mean of all snapshots."""
        return np.rint(self.counters.mean(axis=0)).astype(np.int64)

    @property
    def trained(self) -> np.ndarray:
        """Rows of the ``max`` snapshots, where members are fully trained."""
        return np.flatnonzero(self.snapshots["snapshot"] == "max")


def write_index(
    paths: Sequence[str | Path],
    out: str | Path,
    members: Sequence[int] | None = None,
    normalisation: Sequence[Sequence[float]] | None = None,
    snapshots: Sequence[str | int] | str | None = None,
) -> None:
    """Write the index ``out`` of the snapshots of members, except those that diverged.

    The index holds the content digest of every member: Snakemake compares small files by checksum, so an index of paths
    alone would leave later files silently stale.

    Args:
        paths: files of members.
        out: the index.
        members: numbers of the members that belong to it; None: all.
        normalisation: of the images that the networks read; None: as the members' layout has it.
        snapshots: those that belong to it, see ``snapshot_names``; None: all.

    Raises:
        DataError: a member is in none of the files, all members diverged, or their layouts differ.
    """
    import pandas as pd

    rows, tables, histories, counters, sources = [], [], [], [], []
    layouts: dict[Layout, str | Path] = {}
    for path in paths:
        with open_members(path) as file:
            own = file.members if members is None else file.members[file.members["member"].isin(members)]
            tasks, epochs = {}, {}
            for about in own.to_dict("records"):
                plan = about.pop("plan")
                number, task = plan.pop("member"), join_task(plan.pop("classes"))
                rows.append({"member": number, "task": task, **{key: about[key] for key in ABOUT}, **plan})
                if not about["diverged"]:
                    tasks[number] = task
                    if snapshots is not None:
                        epochs[number] = snapshot_names(snapshots, plan["early_epoch"], plan["max_epoch"])
            histories.append(file.history[file.history["member"].isin(own["member"])])
            used = np.array(file.snapshots["member"].isin(tasks))
            if snapshots is not None:
                places = zip(file.snapshots["member"], file.snapshots["epoch"], strict=True)
                used &= [epoch in epochs.get(number, ()) for number, epoch in places]
            used = np.flatnonzero(used)
            if not len(used):
                continue
            table = file.snapshots.iloc[used]
            tables.append(table.assign(task=table["member"].map(tasks)))
            counters.append(file.counters[used])
            sources.append((path, used, file.weights.shape, file.weights.dtype))
            layouts.setdefault(file.layout, path)
    if lacking := {*(members or ())} - {row["member"] for row in rows}:
        files = ", ".join(map(str, paths[:MOST_NAMED])) + (" and others" if paths[MOST_NAMED:] else "")
        raise DataError(f"{Path(out).name} lists member {min(lacking)}, which is not in {files}; name its file too")
    if not layouts:
        raise DataError(f"all {len(rows)} members to index in {Path(out).name} diverged; lower zoo.learning_rate")
    layout, *others = layouts
    if others:
        raise DataError(
            f"members to index in {Path(out).name} are of several networks: {first_difference(others[0], layout)} in "
            f"{layouts[others[0]]} and {layouts[layout]}; index them separately"
        )
    if normalisation is not None:
        layout = layout._replace(normalisation=Normalisation(*map(tuple, normalisation)))
    with new_hdf5(out) as file:
        file.attrs["part"] = Path(out).stem
        put_layout(file, layout, out)
        # A missing file reads as NaN in other programs; `read_weights` reports it.
        file.create_virtual_dataset("weights", _virtual(sources, Path(out).parent), fillvalue=np.nan)
        file.create_dataset("counters", data=np.concatenate(counters))
        put_table(file, "snapshots", pd.concat(tables, ignore_index=True))
        put_table(file, "members", pd.DataFrame(rows))
        put_table(file, "history", pd.concat(histories, ignore_index=True))


def _virtual(
    sources: Sequence[tuple[str | Path, np.ndarray, tuple[int, int], np.dtype]], folder: Path
) -> h5py.VirtualLayout:
    """Return the virtual dataset of some rows of each file, as seen from the folder of the index."""
    virtual = h5py.VirtualLayout((sum(len(used) for _, used, _, _ in sources), sources[0][2][1]), dtype=np.float32)
    # By default h5py stores the time in virtual datasets, but equal members must give equal indices.
    virtual.dcpl.set_obj_track_times(False)
    start = 0
    for path, used, shape, dtype in sources:
        source = h5py.VirtualSource(os.path.relpath(path, folder), "weights", shape, dtype=dtype)
        for rows in np.split(used, np.flatnonzero(np.diff(used) > 1) + 1):  # runs of neighbouring rows
            virtual[start : start + len(rows)] = source[int(rows[0]) : int(rows[-1]) + 1]
            start += len(rows)
    return virtual


def is_index(path: str | Path) -> bool:
    """Return whether an HDF5 file is an index, and not a file of members."""
    with open_hdf5(path) as file:
        return "members" in file and "snapshots" in file and "format" not in file.attrs


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
        DataError: a file behind the index cannot be opened, is damaged or holds non-finite weights.
    """
    values = storage_of(zoo.layout).unpack(partial(zoo.sources.read, rows), columns)
    finite = np.isfinite(values)
    if finite.all():
        return values
    place, column = np.argwhere(~finite)[0]
    row, column = range(len(zoo.weights))[rows][place], range(zoo.layout.size)[columns][column]
    name = next(entry.name for entry in zoo.layout.entries if column < entry.columns.stop)
    path, member = zoo.sources.find(row), int(zoo.snapshots["member"].iloc[row])
    action = remedy(path, "use an intact copy")
    raise DataError(f"member {member}: {path} holds non-finite weights in {name}; {action}")


def read_snapshot(zoo: Zoo, row: int) -> np.ndarray:
    """Return the weights of one snapshot, float32 (n_weights,); see ``read_weights``."""
    return read_weights(zoo, slice(row, row + 1))[0]
