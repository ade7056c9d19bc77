"""Finished runs of any size, written without training."""

from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest

from wsl.files.plain import write_json

METRICS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
PARTS = ("train", "train", "train", "validation", "test")


@pytest.fixture
def written(tmp_path):
    """Writes the tables of a run and its packed images: ``written(members, epochs, classes)``."""

    def write(members=5, epochs=3, classes=("a", "b", "c"), size=8) -> SimpleNamespace:
        rng = np.random.default_rng(0)
        tasks = ["/".join(rng.choice(classes, 3, replace=False)) for _ in range(members)]
        table = pd.DataFrame({"member": range(members), "task": tasks})
        table["part"] = [PARTS[member % len(PARTS)] for member in range(members)]
        table["learning_rate"] = 10 ** rng.uniform(-4, -2, members)
        table["optimizer"] = rng.choice(["adam", "sgd"], members)
        table["diverged"], table["digest"] = False, "f" * 64
        for metric in METRICS:
            table[f"max_{metric}"] = rng.random(members)
        history = pd.DataFrame({"member": np.repeat(range(members), epochs), "epoch": [*range(epochs)] * members})
        for metric in METRICS:
            history[metric] = rng.random(len(history))
        snapshots = table.loc[table.index.repeat(3), ["member", "task", "part"]].reset_index(drop=True)
        snapshots["snapshot"], snapshots["epoch"] = ["epoch0", "early", "max"] * members, [0, 1, epochs] * members
        snapshots["order"] = 0
        for metric in METRICS:
            snapshots[metric] = rng.random(len(snapshots))
        for name in classes:
            with h5py.File(tmp_path / f"{name}.h5", "w") as file:
                file.attrs["class"] = name
                file["train"] = rng.integers(0, 256, (6, size, size, 3), dtype=np.uint8)
        files = {name: str(tmp_path / f"{name}.csv") for name in ("members", "history")}
        table.to_csv(files["members"], index=False)
        history.to_csv(files["history"], index=False)
        files["summary"] = str(tmp_path / "summary.json")
        write_json(files["summary"], {"chance": 1 / 3})
        files["packed"] = [str(tmp_path / f"{name}.h5") for name in classes]
        return SimpleNamespace(files=files, members=table, history=history, snapshots=snapshots)

    return write
