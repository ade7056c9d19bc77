"""Convert another program's run into a member: weights, names, units."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wsl.errors import DataError
from wsl.zoo.architectures.base import UNKNOWN
from wsl.zoo.foreign.account import OTHER
from wsl.zoo.foreign.networks import Hints, as_known, same_parameters, to_vector
from wsl.zoo.foreign.options import ImportOptions
from wsl.zoo.foreign.run import METRICS, ForeignRun
from wsl.zoo.layout import Layout, first_difference
from wsl.zoo.member import Member
from wsl.zoo.recognition import architecture_of
from wsl.zoo.snapshots import snapshot_names
from wsl.zoo.states import read_state

NEEDED = ("validation_loss", "validation_accuracy")
TRAINING = ("train_loss", "train_accuracy")
HEADS_BY_TYPE = {"vit_s_16": 6}  # attention heads of networks in the zoo of Falk et al. 2025, timm's small one


class OtherNetworkError(DataError):
    """A run whose networks are not those of the import."""


class Conversion:
    """Converts the runs of one zoo one by one; all must have the layout of the first.

    Accuracies are divided by ``unit``. ``settings`` are of all networks: those that weights do not show.
    """

    def __init__(self, options: ImportOptions, unit: float, settings: Mapping[str, Any]):
        self.classes, self.head, self.epochs = options.classes, options.head, options.epochs
        self.unit, self.validation, self.settings = unit, options.validation, settings
        self.layout: Layout | None = None  # of the runs; None before the first
        self.taken: Counter[str] = Counter()  # files by the key of the wrapper around their weights
        self.ignored: Counter[str] = Counter()  # files by their other content
        self._first: Path | None = None
        self._runs: dict[bytes, ForeignRun] = {}  # by digests of their last weights

    def __call__(self, number: int, run: ForeignRun) -> Member:
        """Return a run as the member with this number.

        Raises:
            DataError: weights cannot be read, are not finite, have another layout, or are another run's; an epoch has
                no weights or no validation results; or the head is not known, or not of the classes that are named.
        """
        history = self._history(run)
        epochs = self._epochs(run, history)
        layout, weights, counters = self._weights([run.files[epoch] for epoch in epochs], self._hints(run))
        classes = self._classes(run, layout)
        self._refuse_copy(run, epochs[-1], weights[-1])
        if self.layout is None:  # runs that are left out do not define the layout
            self._first, self.layout = run.files[epochs[0]], layout
        about = architecture_of(layout).columns() if layout.architecture else {"architecture": OTHER}
        # Names of parameters do not show dropout that is not a module.
        about = {key: value for key, value in about.items() if value not in (UNKNOWN, 0.0) or key not in run.about}
        plan = {**run.about, **about, "member": number, "classes": classes, "source": run.name}
        names = _snapshot_names(run, epochs)
        snapshots = history.set_index("epoch").loc[epochs].reset_index()
        snapshots.insert(0, "snapshot", [names[epoch] for epoch in epochs])
        return Member(plan, weights, counters, snapshots, history, diverged=False, layout=layout)

    def _hints(self, run: ForeignRun) -> Hints:
        classes = self.classes or run.classes
        about = {**run.about, **self.settings}
        activation = next((about[key] for key in ("activation", "nlin", "model::nlin") if key in about), None)
        model, size = about.get("model", about.get("model_type")), about.get("image_size")
        return Hints(
            len(classes) if isinstance(classes, list) else classes,
            run.outputs,
            self.head,
            activation and str(activation).lower(),
            {"heads": about.get("heads", HEADS_BY_TYPE.get(model)), **self.settings},
            model if isinstance(model, str) else None,
            size if isinstance(size, int) else None,
            run.layout,
        )

    def _classes(self, run: ForeignRun, layout: Layout) -> list[str]:
        start = f"{run.name}: its head {layout.head[0]} distinguishes {layout.classes} classes"
        counted = isinstance(self.classes, int)
        if counted and self.classes != layout.classes:
            raise DataError(f"{start}, not {self.classes}; correct --classes, or name the head by --head")
        classes = list((None if counted else self.classes) or run.classes or map(str, range(layout.classes)))
        if len(classes) != layout.classes:
            raise DataError(f"{start}, but {len(classes)} are named; name them in the order of the head's rows")
        return classes

    def _history(self, run: ForeignRun) -> pd.DataFrame:
        table = run.results.copy()
        table[run.accuracies.columns] /= self.unit
        if self.validation == "test":
            table = table.drop(columns=[*NEEDED], errors="ignore")
            table = table.rename(columns={f"test_{kind}": f"validation_{kind}" for kind in ("loss", "accuracy")})
        if not set(NEEDED) <= set(table):
            other = "test" if self.validation == "val" else "val"
            lacking = f"no results on {self.validation} images (loss and accuracy)"
            raise DataError(f"{run.name} has {lacking}; --validation {other} uses those on {other} images")
        order = [key for key in METRICS.values() if key in {*table, *TRAINING}]
        return table.reindex(columns=order).rename_axis("epoch").reset_index()

    def _epochs(self, run: ForeignRun, history: pd.DataFrame) -> list[int]:
        epochs = sorted(run.files if self.epochs is None else set(self.epochs))
        measured = set(history["epoch"][np.isfinite(history[list(NEEDED)]).all(axis=1)].tolist())
        for what, available in (("weights", set(run.files)), ("finite validation results", measured)):
            if lacking := [epoch for epoch in epochs if epoch not in available]:
                raise DataError(
                    f"{run.name}: epoch {lacking[0]} has no {what}; add them, leave the run out by --leave-out, or "
                    f"choose by --epochs among {sorted(measured & set(run.files))}"
                )
        return epochs

    def _weights(self, paths: Sequence[Path], hints: Hints) -> tuple[Layout, np.ndarray, np.ndarray]:
        """Return the layout, flat weights (snapshots, n_weights) and integer buffers (snapshots, n_counters)."""
        first, wanted = self._first, self.layout
        for row, path in enumerate(paths):
            saved = read_state(path)
            self.taken.update([saved.source] if saved.source else [])
            self.ignored.update(saved.ignored)
            state, layout = as_known(path, saved.tensors, hints)
            if wanted is None:
                first, wanted = path, layout
            if not same_parameters(layout, wanted):
                raise OtherNetworkError(
                    f"{path}: {first_difference(layout, wanted)}, which {first} has; all networks of an import must be "
                    "alike: choose by --only or --leave-out, and import the others by themselves"
                )
            layout = wanted  # file formats differ in the order of names
            if not row:  # avoids a second copy of all snapshots
                weights = np.empty((len(paths), layout.size), dtype=np.float32)
                counters = np.empty((len(paths), len(layout.counters)), dtype=np.int64)
            weights[row], counters[row] = to_vector(path, state, layout)
        return layout, weights, counters

    def _refuse_copy(self, run: ForeignRun, last: int, weights: np.ndarray) -> None:
        """Refuse a run that ends with the weights of an earlier one, which could leak between parts."""
        other = self._runs.setdefault(hashlib.sha256(weights.tobytes()).digest(), run)
        if other is run:
            return
        if run.about == other.about and run.results.equals(other.results):
            raise DataError(f"{run.name} is a copy of {other.name}, which is kept: equal weights and equal results")
        raise DataError(
            f"{run.name} has at epoch {last}, its last here, the same weights as {other.name}, which is kept. Runs of "
            "one start have the same weights before training: import a later epoch too, and all are kept"
        )


def _snapshot_names(run: ForeignRun, epochs: Sequence[int]) -> dict[int, str]:
    if run.names:
        names = {epoch: run.names.get(epoch, "max") for epoch in epochs[:-1]}
        named = {epoch: f"epoch{epoch}" if name == "max" else name for epoch, name in names.items()}
        return {**named, epochs[-1]: "max"}
    early = run.about.get("early_epoch")
    return snapshot_names([*epochs, *(["early"] if early in epochs else []), "max"], early, epochs[-1])
