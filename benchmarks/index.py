"""The index of a zoo, which copies nothing, compared with one dataset that holds a copy of all weights.

The members are generated: a narrow network, one file per member, with two snapshots and a hundred epochs of history.
Both variants then read the columns of the largest named parameter, as PCA does.
"""

import argparse
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from side_by_side import ratio, report, seconds

from wsl.zoo.architectures.resnet18 import ResNet18
from wsl.zoo.index import open_zoo, read_weights, write_index
from wsl.zoo.member import Member, write_member

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


def copy(paths: list[Path], out: Path, width: int) -> None:
    """Copy all weights into one dataset."""
    size = ResNet18(width=width).layout(CLASSES, None).size
    with h5py.File(out, "w") as file:
        whole = file.create_dataset("weights", (SNAPSHOTS * len(paths), size), dtype=np.float32)
        for place, path in enumerate(paths):
            with h5py.File(path) as member:
                whole[SNAPSHOTS * place : SNAPSHOTS * (place + 1)] = member["weights"][...]


def read_index(path: Path) -> None:
    """Read the largest parameter through an index."""
    with open_zoo(path) as zoo:
        read_weights(zoo, columns=max(zoo.layout.entries, key=lambda entry: entry.size).columns)


def read_copy(path: Path, width: int) -> None:
    """Read the largest parameter from a copy, and check that it is finite, as the index's reader does."""
    columns = max(ResNet18(width=width).layout(CLASSES, None).entries, key=lambda entry: entry.size).columns
    with h5py.File(path) as file:
        assert np.isfinite(file["weights"][:, columns]).all()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--members", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--width", type=int, default=4)
    given = parser.parse_args()
    rows, figures = [], {}
    with tempfile.TemporaryDirectory() as folder:
        index, whole, paths = Path(folder, "index.h5"), Path(folder, "copy.h5"), []
        for members in sorted(given.members):
            for member in range(len(paths), members):
                paths.append(Path(folder, "members", f"{member:05d}.h5"))
                write_member(paths[-1], pretended(member, given.width))
            calls = {
                "index": lambda: write_index(paths, index),
                "copy": lambda: copy(paths, whole, given.width),
                "read index": lambda: read_index(index),
                "read copy": lambda: read_copy(whole, given.width),
            }
            taken = seconds(calls, given.rounds)
            for way, path in (("index", index), ("copy", whole)):
                made, read = (float(np.median(taken[name])) for name in (way, f"read {way}"))
                row = {"members": members, "way": way, "seconds to make": made, "seconds to read one parameter": read}
                rows.append({**row, "MB": path.stat().st_size / 1e6})
            figures[f"ratio_{members}_copy_over_index_to_make"] = ratio(taken["copy"], taken["index"])
            figures[f"ratio_{members}_index_over_copy_to_read"] = ratio(taken["read index"], taken["read copy"])
    report("index", rows, figures)
