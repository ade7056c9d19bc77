"""The index of a zoo, which copies nothing, compared with one dataset that holds a copy of all weights.

The members are generated: a narrow network with two snapshots and a hundred epochs of history, in cohorts of one size.
The index holds all members, or nine of ten as that of a part does; the copy has the same rows. Both variants then read
the columns of the largest named parameter, as PCA does, and of the smallest.
"""

import argparse
import itertools
import tempfile
import time
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from side_by_side import ratio, report, seconds

from wsl.paths import cohort_name
from wsl.zoo.architectures.resnet18 import ResNet18
from wsl.zoo.index import open_zoo, read_weights, write_index
from wsl.zoo.member import Member, write_members

CLASSES, SNAPSHOTS, EPOCHS = 3, 2, 100
METRICS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


def pretended(member: int, width: int) -> Member:
    """Return an untrained member."""
    rng, layout = np.random.default_rng(member), ResNet18(width=width).layout(CLASSES, None)
    history = pd.DataFrame(rng.random((EPOCHS, len(METRICS))), columns=METRICS)
    history.insert(0, "epoch", np.arange(1, EPOCHS + 1))
    snapshots = history.iloc[[9, -1]].reset_index(drop=True)
    snapshots.insert(0, "snapshot", ["early", "max"])
    return Member(
        plan={"member": member, "classes": list("abc"), "seed": member, "width": width, "max_epoch": EPOCHS},
        weights=rng.standard_normal((SNAPSHOTS, layout.size), dtype=np.float32),
        counters=np.zeros((SNAPSHOTS, len(layout.counters)), dtype=np.int64),
        snapshots=snapshots,
        history=history,
        diverged=False,
        layout=layout,
    )


def write_cohorts(folder: Path, members: int, cohort: int, width: int) -> list[Path]:
    """Write the files of members that do not exist yet, and return the paths of all."""
    paths = []
    for first in range(0, members, cohort):
        paths.append(folder / f"{cohort_name(first, cohort)}.h5")
        if not paths[-1].is_file():
            write_members(paths[-1], [pretended(first + place, width) for place in range(cohort)])
    return paths


def copy(paths: list[Path], chosen: list[int], out: Path, width: int) -> None:
    """Copy the weights of some members into one dataset."""
    size = ResNet18(width=width).layout(CLASSES, None).size
    with h5py.File(out, "w") as file:
        whole = file.create_dataset("weights", (SNAPSHOTS * len(chosen), size), dtype=np.float32)
        start = 0
        for path in paths:
            with h5py.File(path) as members:
                rows = members["weights"][...][np.isin(members["snapshots/member"], chosen)]
            whole[start : start + len(rows)] = rows
            start += len(rows)


def by_size(width: int, largest: bool) -> slice:
    """Return the columns of the largest or the smallest parameter."""
    entries = sorted(ResNet18(width=width).layout(CLASSES, None).entries, key=lambda entry: entry.size)
    return entries[-largest].columns


def read_index(path: Path, columns: slice) -> np.ndarray:
    """Read a parameter through an index."""
    with open_zoo(path) as zoo:
        return read_weights(zoo, columns=columns)


def read_copy(path: Path, columns: slice) -> np.ndarray:
    """Read a parameter from a copy, and check that it is finite, as the index's reader does."""
    with h5py.File(path) as file:
        values = file["weights"][:, columns]
    assert np.isfinite(values).all()
    return values


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--members", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--cohort", type=int, default=100)
    parser.add_argument("--width", type=int, default=4)
    given = parser.parse_args()
    rows, figures = [], {}
    with tempfile.TemporaryDirectory() as folder:
        index, whole = Path(folder, "index.h5"), Path(folder, "copy.h5")
        for members, share in itertools.product(sorted(given.members), (1.0, 0.9)):
            paths = write_cohorts(Path(folder, "members"), members, given.cohort, given.width)
            draws = np.random.default_rng(0).random(members)
            chosen = np.flatnonzero(draws < share).tolist()
            about = {"members": members, "share": share}
            made = {
                "index": partial(write_index, paths, index, chosen),
                "copy": partial(copy, paths, chosen, whole, given.width),
            }
            taken, calls = seconds(made, given.rounds, time.process_time), {}
            for name, columns in (("largest", by_size(given.width, True)), ("smallest", by_size(given.width, False))):
                calls[f"index, {name}"] = partial(read_index, index, columns)
                calls[f"copy, {name}"] = partial(read_copy, whole, columns)
            assert np.array_equal(calls["index, largest"](), calls["copy, largest"]())  # and both are in memory now
            taken |= seconds(calls, given.rounds, time.process_time)
            for way, path in (("index", index), ("copy", whole)):
                row = {**about, "way": way, "MB": path.stat().st_size / 1e6, "made in": min(taken[way])}
                rows.append({**row, **{name: min(taken[f"{way}, {name}"]) for name in ("largest", "smallest")}})
            key = f"{members}_of_{share:.0%}"
            figures[f"ratio_{key}_copy_over_index_to_make"] = ratio(taken["copy"], taken["index"])
            for name in ("largest", "smallest"):
                read = (taken[f"{way}, {name}"] for way in ("index", "copy"))
                figures[f"ratio_{key}_index_over_copy_to_read_{name}"] = ratio(*read)
    report("index", rows, {**figures, "cohort": given.cohort, "width": given.width})
