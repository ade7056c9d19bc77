"""Tables of all members and their learning curves."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from wsl.files.hdf5 import part_of
from wsl.files.plain import write_csv
from wsl.zoo.index import open_zoo

METRICS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


def write_overview(indices: Sequence[str | Path], members: str | Path, history: str | Path) -> None:
    """Write two CSV files about the members of all parts.

    ``members`` has one row per member (plan, part, metrics of each snapshot), ``history`` one per member and epoch.
    """
    tables, histories = [], []
    for path in indices:
        with open_zoo(path) as zoo:
            wide = zoo.snapshots.pivot(index="member", columns="snapshot", values=list(METRICS))
            wide.columns = [f"{snapshot}_{metric}" for metric, snapshot in wide.columns]
            table = zoo.members.merge(wide.reset_index(), on="member", how="left")
            table.insert(1, "part", part_of(path))
            tables.append(table)
            histories.append(zoo.history)
    write_csv(members, pd.concat(tables).sort_values("member"))
    write_csv(history, pd.concat(histories).sort_values(["member", "epoch"]))
