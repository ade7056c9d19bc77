"""A member's file: snapshots, history, task, hyper-parameters and layout."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from wsl.errors import DataError
from wsl.files.hdf5 import get_table, new_hdf5, open_hdf5, put_table
from wsl.files.opening import remedy
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.factored import storage_of
from wsl.zoo.layout import Layout, layout_from_text, layout_to_text

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1


@dataclass
class Member:
    """One training run.

    The columns of ``history`` are ``epoch``, ``train_loss``, ``train_accuracy``, ``validation_loss`` and
    ``validation_accuracy``; losses in nats, accuracies in [0, 1].
    """

    plan: dict[str, Any]  # its row of the plan, ``Architecture.columns`` and further columns of tables
    weights: np.ndarray  # float32 or float16 (snapshots, n_weights); read as float32
    counters: np.ndarray  # integer buffers (snapshots, n_counters)
    snapshots: pd.DataFrame  # one row per snapshot: ``snapshot`` (its name) and the history at its epoch
    history: pd.DataFrame  # one row per epoch
    diverged: bool  # a loss or a weight became non-finite; later snapshots are missing
    layout: Layout  # of the weights


def write_member(path: str | Path, member: Member) -> None:
    """Write a member's file atomically."""
    stored = storage_of(member.layout).pack(member.weights)
    digest = hashlib.sha256(np.ascontiguousarray(stored).tobytes())
    digest.update(member.snapshots.to_csv().encode())
    with new_hdf5(path) as file:
        file.attrs["format"] = FORMAT
        file.attrs["architecture"] = member.layout.architecture
        file.attrs["plan"] = json.dumps(member.plan, sort_keys=True)
        file.attrs["diverged"] = member.diverged
        file.attrs["digest"] = digest.hexdigest()
        file.create_dataset("weights", data=stored)
        file.create_dataset("counters", data=member.counters)
        put_table(file, "snapshots", member.snapshots)
        put_table(file, "history", member.history)
        put_layout(file, member.layout, path)


def put_layout(file: h5py.File, layout: Layout, path: str | Path) -> None:
    """Store a layout in a member or an index that will be at ``path``, with a path relative to it."""
    if layout.frozen is not None:
        frozen, digest = layout.frozen
        layout = layout._replace(frozen=(os.path.relpath(frozen, Path(path).parent), digest))
    file["layout"] = layout_to_text(layout)


def get_layout(file: h5py.File) -> Layout:
    """Return the layout of a member or an index.

    Raises:
        DataError: an earlier version wrote the file without a layout, and its plan does not determine one.
    """
    if "layout" in file:
        layout = layout_from_text(file["layout"].asstr()[()])
        if layout.frozen is None:
            return layout
        path = os.path.normpath(Path(file.filename).parent / layout.frozen[0])
        return layout._replace(frozen=(path, layout.frozen[1]))
    # Earlier versions stored the settings of their only architecture in the plan of a member, or as attributes.
    plan = json.loads(file.attrs["plan"]) if "plan" in file.attrs else dict(file.attrs)
    classes = plan["classes"] if "plan" not in file.attrs else len(plan["classes"])
    for architecture in ARCHITECTURES.values():
        settings = {key: plan[key] for key in architecture.model_fields if key in plan}
        settings = {} if architecture.sized else settings
        layout = architecture.model_validate(settings).layout(int(classes), None) if settings else None
        if layout and layout.size == file["weights"].shape[1]:
            return layout
    raise DataError(f"{file.filename} was written by an earlier version of wsl and has no layout; create it again")


@contextmanager
def open_member(path: str | Path) -> Iterator[h5py.File]:
    """Open a member's file for reading.

    Raises:
        DataError: it is not one, cannot be opened, is damaged, or has another version's format.
    """
    with open_hdf5(path) as file:
        if file.attrs.get("format") != FORMAT:
            action = remedy(path, "give a member file that this version of wsl wrote")
            raise DataError(f"{path} is not a member file of format {FORMAT}; {action}")
        yield file


def read_member(path: str | Path) -> Member:
    """Read a whole member."""
    with open_member(path) as file:
        layout, stored = get_layout(file), file["weights"].astype(np.float32)
        return Member(
            plan=json.loads(file.attrs["plan"]),
            weights=storage_of(layout).unpack(lambda columns: stored[:, columns]),
            counters=file["counters"][...],
            snapshots=get_table(file, "snapshots"),
            history=get_table(file, "history"),
            diverged=bool(file.attrs["diverged"]),
            layout=layout,
        )
