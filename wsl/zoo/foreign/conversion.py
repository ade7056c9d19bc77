"""From a run of others to a member of ours: weights, names, units."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wsl.errors import DataError
from wsl.zoo.foreign.networks import as_torchvision, to_vector
from wsl.zoo.foreign.run import METRICS, ForeignRun
from wsl.zoo.foreign.states import read_state
from wsl.zoo.layout import Layout, first_difference, resnet18_layout
from wsl.zoo.member import Member
from wsl.zoo.snapshots import snapshot_names

NEEDED = ("validation_loss", "validation_accuracy")
TRAINING = ("train_loss", "train_accuracy")


class Conversion:
    """Converts the runs of one zoo, one after the other; all must have the first one's layout.

    Args:
        classes, epochs, validation: see ``wsl.zoo.foreign.importing.import_zoo``.
        unit: what accuracies are divided by.
    """

    def __init__(self, classes: Sequence[str] | None, epochs: Sequence[int] | None, unit: float, validation: str):
        self.classes, self.epochs, self.unit, self.validation = classes, epochs, unit, validation
        self._first: tuple[Path, Layout] | None = None
        self._seen: dict[bytes, str] = {}

    def __call__(self, number: int, run: ForeignRun) -> Member:
        """Return the member of this number.

        Raises:
            DataError: weights cannot be read, are not finite, have another layout, or are another run's; an epoch has
                no weights or no validation results; or names do not fit the head.
        """
        history = self._history(run)
        epochs = self._epochs(run, history)
        layout, weights, counters = self._weights([run.files[epoch] for epoch in epochs])
        classes = list(self.classes or run.classes or map(str, range(layout.classes)))
        if len(classes) != layout.classes:
            raise DataError(
                f"{run.name}: its head tells {layout.classes} classes apart, but {len(classes)} are named; name "
                "them in the order of the head's rows"
            )
        self._new(run, weights[-1])
        width = (layout.entries[0].shape or (1,))[0]
        own = None if layout == resnet18_layout(width, layout.classes) else layout
        plan = {**run.about, "member": number, "classes": classes, "width": width, "source": run.name}
        names = self._names(run, epochs)
        snapshots = history.set_index("epoch").loc[epochs].reset_index()
        snapshots.insert(0, "snapshot", [names[epoch] for epoch in epochs])
        return Member(plan, weights, counters, snapshots, history, diverged=False, layout=own)

    def _history(self, run: ForeignRun) -> pd.DataFrame:
        table = run.results.copy()
        table[run.accuracies.columns] /= self.unit
        if self.validation == "test":
            table = table.drop(columns=[*NEEDED], errors="ignore")
            table = table.rename(columns={f"test_{kind}": f"validation_{kind}" for kind in ("loss", "accuracy")})
        if not set(NEEDED) <= set(table):
            raise DataError(
                f"{run.name} has no results on {self.validation} images, loss and accuracy; --validation test takes "
                "those on test images in place of those on validation images, --validation val the latter"
            )
        missing = [key for key in TRAINING if key not in table]
        order = [key for key in METRICS.values() if key in {*table, *missing}]
        return table.reindex(columns=order).rename_axis("epoch").reset_index()

    def _epochs(self, run: ForeignRun, history: pd.DataFrame) -> list[int]:
        epochs = sorted(run.files if self.epochs is None else set(self.epochs))
        measured = set(history["epoch"][np.isfinite(history[list(NEEDED)]).all(axis=1)].tolist())
        for what, there in (("weights", set(run.files)), ("finite validation results", measured)):
            if lacking := [epoch for epoch in epochs if epoch not in there]:
                raise DataError(
                    f"{run.name}: epoch {lacking[0]} has no {what}; add them, leave the run out, or choose by --epochs "
                    f"among {sorted(measured & set(run.files))}"
                )
        return epochs

    def _weights(self, paths: Sequence[Path]) -> tuple[Layout, np.ndarray, np.ndarray]:
        """Return the layout, flat weights (snapshots, n_weights) and integer buffers (snapshots, n_counters)."""
        for row, path in enumerate(paths):
            state, layout = as_torchvision(path, read_state(path))
            self._first = self._first or (path, layout)
            if layout != self._first[1]:
                raise DataError(
                    f"{path}: {first_difference(layout, self._first[1])}, which {self._first[0]} has; import networks "
                    "of other shapes from a folder of their own"
                )
            if not row:  # all of a large network's snapshots are held once, not twice
                weights = np.empty((len(paths), layout.size), dtype=np.float32)
                counters = np.empty((len(paths), len(layout.counters)), dtype=np.int64)
            weights[row], counters[row] = to_vector(path, state, layout)
        return layout, weights, counters

    def _new(self, run: ForeignRun, weights: np.ndarray) -> None:
        digest = hashlib.sha256(weights.tobytes()).digest()
        if digest in self._seen:
            raise DataError(f"{run.name} ends with the very weights of {self._seen[digest]}; delete one of the two")
        self._seen[digest] = run.name

    def _names(self, run: ForeignRun, epochs: Sequence[int]) -> dict[int, str]:
        early = run.about.get("early_epoch")
        asked = [*epochs, *(["early"] if early in epochs else []), "max"]
        return snapshot_names(asked, early, epochs[-1])
