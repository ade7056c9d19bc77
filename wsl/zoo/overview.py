"""Tables of all members and their learning curves."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from wsl.files.hdf5 import part_of
from wsl.files.plain import write_csv
from wsl.zoo.index import open_zoo

METRICS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


def overview(indices: Sequence[str | Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a table of the members of all parts (plan, part, metrics of each snapshot), and one of all epochs."""
    tables, histories = [], []
    for path in indices:
        with open_zoo(path) as zoo:
            wide = zoo.snapshots.pivot(index="member", columns="snapshot", values=list(METRICS))
            wide.columns = [f"{snapshot}_{metric}" for metric, snapshot in wide.columns]
            table = zoo.members.merge(wide.reset_index(), on="member", how="left")
            table.insert(1, "part", part_of(path))
            tables.append(table)
            histories.append(zoo.history)
    return pd.concat(tables).sort_values("member"), pd.concat(histories).sort_values(["member", "epoch"])


def write_overview(indices: Sequence[str | Path], members: str | Path, history: str | Path) -> None:
    """Write two CSV files about the members of all parts, see ``overview``."""
    for table, path in zip(overview(indices), (members, history), strict=True):
        write_csv(path, table)
