"""The index of one part of the zoo: a virtual dataset over its member files, so that nothing is copied."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from wsl.errors import DataError
from wsl.files import get_table, new_hdf5, put_table
from wsl.images.reading import join_task, task_classes
from wsl.zoo.layout import Layout, resnet18_layout
from wsl.zoo.member import open_member


@dataclass
class Zoo:
    """An opened index.

    Attributes:
        weights: (snapshots, n_weights), float32, read from the member files as it is sliced.
        counters: integer buffers (snapshots, n_counters).
        snapshots: a row a snapshot in the same order: ``member``, ``snapshot``, ``epoch``, metrics, and ``task``,
            see ``join_task``.
        members: a row a member: ``member``, ``diverged``, ``digest``, ``task`` and hyper-parameters.
        history: a row an epoch of every member.
        layout: where each named parameter lies.
    """

    weights: h5py.Dataset
    counters: np.ndarray
    snapshots: pd.DataFrame
    members: pd.DataFrame
    history: pd.DataFrame
    layout: Layout

    @property
    def trained(self) -> np.ndarray:
        """Rows of the ``max`` snapshots, where members are fully trained."""
        return np.flatnonzero(self.snapshots["snapshot"] == "max")


def write_index(paths: Sequence[str | Path], out: str | Path) -> None:
    """Index the snapshots of the members at ``paths``, leaving out those that diverged.

    The index holds every member's content digest: Snakemake compares small files by checksum, and an index of mere
    paths would leave what follows silently stale.

    Raises:
        DataError: no member is left, or one has another architecture.
    """
    members, snapshots, histories, counters, sources = [], [], [], [], []
    shapes = set()
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
            sources.append((path, len(table)))
            shapes.add((plan["width"], len(task_classes(task)), file["weights"].shape[1]))
    if len(shapes) != 1:
        raise DataError(
            f"{len(paths)} members to index in {Path(out).name}, but "
            + ("all of them diverged; lower zoo.learning_rate" if not shapes else f"of several shapes: {shapes}")
        )
    ((width, classes, n_weights),) = shapes
    total = sum(count for _, count in sources)
    virtual = h5py.VirtualLayout((total, n_weights), dtype=np.float32)
    # h5py stamps a virtual dataset, alone of all datasets, with the time, and equal members must make equal indices.
    virtual.dcpl.set_obj_track_times(False)
    start = 0
    for path, count in sources:
        relative = os.path.relpath(path, Path(out).parent)
        virtual[start : start + count] = h5py.VirtualSource(relative, "weights", (count, n_weights))
        start += count
    with new_hdf5(out) as file:
        file.attrs["width"], file.attrs["classes"] = width, classes
        # A member file that has gone reads as NaN, which `open_zoo`'s readers notice, and not as zeros.
        file.create_virtual_dataset("weights", virtual, fillvalue=np.nan)
        file.create_dataset("counters", data=np.concatenate(counters))
        put_table(file, "snapshots", pd.concat(snapshots, ignore_index=True))
        put_table(file, "members", pd.DataFrame(members))
        put_table(file, "history", pd.concat(histories, ignore_index=True))


@contextmanager
def open_zoo(path: str | Path) -> Iterator[Zoo]:
    """Open an index for reading."""
    with h5py.File(path) as file:
        yield Zoo(
            weights=file["weights"],
            counters=file["counters"][...],
            snapshots=get_table(file, "snapshots"),
            members=get_table(file, "members"),
            history=get_table(file, "history"),
            layout=resnet18_layout(int(file.attrs["width"]), int(file.attrs["classes"])),
        )


def read_weights(zoo: Zoo, rows: slice = slice(None), columns: slice = slice(None)) -> np.ndarray:
    """Read weights, float32 (rows, columns): all columns of a few snapshots, or a named parameter's of all.

    Raises:
        DataError: a member file behind the index is missing or holds non-finite weights.
    """
    values = zoo.weights[rows, columns]
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        member = int(zoo.snapshots["member"].iloc[rows].iloc[bad.argmax()])
        # As long as the index is there, Snakemake does not ask for what it was made of.
        raise DataError(
            f"member {member}: its file is missing or holds non-finite weights; delete that file and "
            f"{zoo.weights.file.filename}, and run again to train it anew"
        )
    return values


def read_snapshot(zoo: Zoo, row: int) -> np.ndarray:
    """Read the weights of one snapshot, float32 (n_weights,); see ``read_weights``."""
    return read_weights(zoo, slice(row, row + 1))[0]
