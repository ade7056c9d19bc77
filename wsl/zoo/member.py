"""Files of members: those of one cohort with their snapshots, history, tasks, hyper-parameters and layout."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from wsl.errors import DataError
from wsl.files.hdf5 import get_table, new_hdf5, open_hdf5, put_table
from wsl.files.opening import hdf5_fault, remedy
from wsl.paths import split_member
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.factored import storage_of
from wsl.zoo.layout import Layout, layout_from_text, layout_to_text

if TYPE_CHECKING:
    import pandas as pd

FORMAT, OF_ONE = 2, 1  # earlier versions wrote one member per file, with the format `OF_ONE`
CHUNK = 2**22  # bytes of all snapshots in one chunk of columns


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

    @property
    def number(self) -> int:
        """Its number in the zoo."""
        return int(self.plan["member"])


def write_members(path: str | Path, members: Sequence[Member]) -> None:
    """Write a file of members with equal layouts and equal columns of tables, atomically.

    Chunks hold a block of columns of all snapshots, so that reading a named parameter of all members is fast.
    """
    import pandas as pd

    (layout,) = {member.layout for member in members}
    stored = [storage_of(layout).pack(member.weights) for member in members]
    about = {
        "member": [member.number for member in members],
        "diverged": [member.diverged for member in members],
        "digest": [_digest(values, member) for values, member in zip(stored, members, strict=True)],
        "plan": [json.dumps(member.plan, sort_keys=True) for member in members],
    }
    weights = np.concatenate(stored) if len(stored) > 1 else stored[0]
    with new_hdf5(path) as file:
        file.attrs["format"] = FORMAT
        file.attrs["architecture"] = layout.architecture
        file.create_dataset("weights", data=weights, chunks=_chunks(weights))
        file.create_dataset("counters", data=np.concatenate([member.counters for member in members]))
        put_table(file, "members", pd.DataFrame(about))
        put_table(file, "snapshots", _joined(members, [member.snapshots for member in members]))
        put_table(file, "history", _joined(members, [member.history for member in members]))
        put_layout(file, layout, path)


def _digest(stored: np.ndarray, member: Member) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(stored).tobytes())
    digest.update(member.snapshots.to_csv().encode())
    return digest.hexdigest()


def _chunks(weights: np.ndarray) -> tuple[int, int] | None:
    """Return the shape of chunks: of about ``CHUNK`` bytes and of equal width, since HDF5 fills up the last one."""
    rows, size = weights.shape
    if not weights.size:
        return None
    count = -(-weights.nbytes // CHUNK)
    return rows, -(-size // min(count, size))


def _joined(members: Sequence[Member], tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return tables of members as one, whose first column is the member."""
    import pandas as pd

    tables = [table.assign(member=one.number) for one, table in zip(members, tables, strict=True)]
    table = pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
    return table[["member", *table.columns.drop("member")]]


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


class MemberFile:
    """An opened file of members; what it holds is read on first use."""

    def __init__(self, file: h5py.File):
        self.file = file

    @property
    def weights(self) -> h5py.Dataset:
        """The dataset (snapshots, stored numbers), by member; see ``wsl.zoo.factored``."""
        return self.file["weights"]

    @cached_property
    def layout(self) -> Layout:
        """Of all its members."""
        return get_layout(self.file)

    @cached_property
    def counters(self) -> np.ndarray:
        """Integer buffers (snapshots, n_counters)."""
        return self.file["counters"][...]

    @cached_property
    def members(self) -> pd.DataFrame:
        """One row per member: ``member``, ``diverged``, ``digest`` of its content, ``plan`` (dicts)."""
        import pandas as pd

        if "members" in self.file:
            table = get_table(self.file, "members")
            return table.assign(plan=[json.loads(text) for text in table["plan"]])
        about, plan = self.file.attrs, json.loads(self.file.attrs["plan"])
        row = {"member": plan["member"], "diverged": bool(about["diverged"]), "digest": about["digest"], "plan": plan}
        return pd.DataFrame([row])

    @cached_property
    def snapshots(self) -> pd.DataFrame:
        """One row per row of ``weights``: ``member``, ``snapshot`` (its name), ``epoch``, metrics."""
        table = self._table("snapshots")
        if len(table) != len(self.weights) or not table["member"].isin(self.members["member"]).all():
            fault = ValueError("its snapshots contradict its weights or its members")
            raise DataError(hdf5_fault(self.file.filename, fault))
        return table

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row per epoch of every member: ``member``, ``epoch``, metrics."""
        return self._table("history")

    def _table(self, name: str) -> pd.DataFrame:
        table = get_table(self.file, name)
        if "member" not in table:
            table.insert(0, "member", self.members["member"].iloc[0])
        return table

    def read(self, member: int) -> Member:
        """Read one member."""
        rows = np.flatnonzero(self.snapshots["member"] == member)
        rows = slice(rows[0], rows[-1] + 1) if len(rows) else slice(0, 0)
        about = self.members[self.members["member"] == member].iloc[0]
        stored = self.weights.astype(np.float32)[rows]
        snapshots, history = (
            table[table["member"] == member].drop(columns="member").reset_index(drop=True)
            for table in (self.snapshots, self.history)
        )
        return Member(
            plan=about["plan"],
            weights=storage_of(self.layout).unpack(lambda columns: stored[:, columns]),
            counters=self.counters[rows],
            snapshots=snapshots,
            history=history,
            diverged=bool(about["diverged"]),
            layout=self.layout,
        )


@contextmanager
def open_members(path: str | Path) -> Iterator[MemberFile]:
    """Open a file of members for reading.

    Raises:
        DataError: it is not one, cannot be opened, is damaged, or has another version's format.
    """
    with open_hdf5(path) as file:
        if file.attrs.get("format") not in (FORMAT, OF_ONE) or "weights" not in file:
            action = remedy(path, "give a member file that this version of wsl wrote")
            raise DataError(f"{path} is not a member file of format {FORMAT}; {action}")
        yield MemberFile(file)


def read_members(path: str | Path) -> Iterator[Member]:
    """Read the members of a file one by one."""
    with open_members(path) as file:
        for member in file.members["member"].tolist():
            yield file.read(member)


def read_member(path: str | Path, member: int | None = None) -> Member:
    """Read one member.

    Args:
        path: a file of members. ``FILE:NUMBER`` also names one of its members, as for commands.
        member: its number; None: the only one in the file.

    Raises:
        DataError: the file holds several members and none is named, or not the one that is named.
    """
    path, named = split_member(path)
    member = named if member is None else member
    with open_members(path) as file:
        numbers = file.members["member"].tolist()
        if member is None and len(numbers) > 1:
            raise DataError(f"{path} holds {in_words(numbers)}; name one of them, as in {path}:{numbers[0]}")
        if member is not None and member not in numbers:
            raise DataError(f"{path} holds {in_words(numbers)}, and not member {member}; name another file or member")
        return file.read(numbers[0] if member is None else member)


def in_words(numbers: Sequence[int]) -> str:
    """Return the numbers of members in words, such as ``members 40 to 49``."""
    low, high = min(numbers), max(numbers)
    return f"member {low}" if low == high else f"{len(set(numbers))} members ({low} to {high})"
