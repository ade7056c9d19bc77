"""What weights tell of models: linear probes of latents and of plain statistics (Unterthiner et al. 2021)."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wsl.errors import DataError
from wsl.evaluation.intervals import RANGES, Interval, by_set, class_set, interval, r_squared
from wsl.evaluation.outputs import Runner, accuracy
from wsl.files import Files, write_csv
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.weights.coefficients import load_linear
from wsl.zoo.index import Zoo, open_zoo, read_snapshot, read_weights
from wsl.zoo.layout import Layout

PENALTIES = np.logspace(-3, 6, 19)
TARGETS = ("test_accuracy", "validation_loss", "epoch", "generalisation_gap")
QUANTILES = (0, 25, 50, 75, 100)
BATCH = 16
Features = Callable[[np.ndarray], np.ndarray]


def measure_accuracies(indices: Sequence[str | Path], packed: Files, out: str | Path, device: str = "cpu") -> None:
    """Write the test accuracy of every snapshot: what probes predict. It chooses nothing.

    Args:
        indices: of members; packed: packed images, a file a class, or a list of them.
        out: CSV with ``member``, ``snapshot``, ``test_accuracy``.
        device: ``cpu`` or ``cuda``.
    """
    images, tables = TaskImages(packed), []
    for path in indices:
        with open_zoo(path) as zoo:
            runner, found = Runner(zoo.layout, device), []
            for row, task in enumerate(zoo.snapshots["task"]):
                inputs, labels = images.of_task(task, part="test")
                found.append(accuracy(runner.logits(read_snapshot(zoo, row), normalised(inputs)), labels))
            tables.append(zoo.snapshots[["member", "snapshot"]].assign(test_accuracy=found))
    write_csv(out, pd.concat(tables, ignore_index=True))


def probe(
    features: Features,
    train_index: str | Path,
    held_out: Sequence[str | Path],
    accuracies: str | Path | None = None,
) -> pd.DataFrame:
    """Fit ridge probes on the snapshots of training members and judge them on held-out members.

    Args:
        features: returns numbers (n, k) of flat weights (n, n_weights).
        train_index: of training members; their penalty comes from leave-one-out cross-validation.
        held_out: indices of members that no probe saw, named after their parts.
        accuracies: see ``measure_accuracies``; None: the test accuracies that the zoo itself has, as imported zoos may.

    Returns:
        One row per target: ``target``, ``score`` (R² over held-out snapshots, or accuracy for the optimiser) with its
        95 % interval over sets of classes (``low``, ``high``), ``chance`` (0, or the share of the commoner optimiser),
        ``snapshots`` judged, of ``members`` on ``sets`` of classes, and ``features``. Targets: test accuracy,
        validation loss, epoch, the gap between training and validation accuracy, and the optimiser; only those with
        several finite values in both training and held-out members. Untrained snapshots take no part: those that share
        a start are trivial to recognise.

    Raises:
        DataError: there is no target to probe for.
    """
    measured = None if accuracies is None else pd.read_csv(accuracies)
    known, truth = _rows(features, [train_index], measured)
    asked, wanted = _rows(features, held_out, measured)
    rows = []
    for target in TARGETS:
        fitted, judged = _finite(truth, target), _finite(wanted, target)
        if fitted.any() and judged.any():
            model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES)).fit(known[fitted], truth[target][fitted])
            asked_of = wanted[judged]
            found = r_squared(asked_of[target], model.predict(asked[judged]), asked_of["task"].map(class_set))
            rows.append({"target": target, **_score(found), "chance": 0.0, **_counts(asked_of)})
    if "optimizer" in truth and "optimizer" in wanted and truth["optimizer"].nunique() > 1:
        model = make_pipeline(StandardScaler(), RidgeClassifierCV(PENALTIES)).fit(known, truth["optimizer"])
        chance = wanted["optimizer"].value_counts(normalize=True).max()
        right = wanted.assign(accuracy=model.predict(asked) == wanted["optimizer"])
        found = interval(by_set(right, "accuracy")["accuracy"].to_numpy(), RANGES["accuracy"])
        rows.append({"target": "optimizer", **_score(found), "chance": chance, **_counts(wanted)})
    if not rows:
        raise DataError(f"{train_index}: none of {', '.join(TARGETS)} has two finite values in each part")
    return pd.DataFrame(rows).assign(features=known.shape[1])


def _finite(table: pd.DataFrame, target: str) -> np.ndarray:
    """Return the rows that have a finite value of a target; none where all are the same: there is nothing to tell."""
    none = np.zeros(len(table), dtype=bool)
    finite = np.isfinite(table[target]).to_numpy() if target in table else none
    return finite if finite.any() and table[target][finite].nunique() > 1 else none


def _score(found: Interval) -> dict[str, float]:
    return {"score": found.mean, "low": found.low, "high": found.high}


def _counts(judged: pd.DataFrame) -> dict[str, int]:
    sets = judged["task"].map(class_set).nunique()
    return {"snapshots": len(judged), "members": judged["member"].nunique(), "sets": sets}


def layer_statistics(weights: np.ndarray, layout: Layout) -> np.ndarray:
    """Return mean, variance and quintiles of every named parameter (n, 7 * parameters), of weights (n, n_weights)."""
    found = []
    for entry in layout.entries:
        own = weights[:, entry.columns]
        found += [own.mean(1), own.var(1), *np.percentile(own, QUANTILES, axis=1)]
    return np.stack(found, axis=1)


def _rows(
    features: Features, indices: Sequence[str | Path], measured: pd.DataFrame | None
) -> tuple[np.ndarray, pd.DataFrame]:
    values, tables = [], []
    for path in indices:
        with open_zoo(path) as zoo:
            starts = range(0, len(zoo.snapshots), BATCH)
            values += [features(read_weights(zoo, slice(start, start + BATCH))) for start in starts]
            tables.append(_truth(zoo))
    truth = pd.concat(tables, ignore_index=True)
    if measured is not None:
        own = truth.drop(columns="test_accuracy", errors="ignore")  # imported zoos have results of their own
        truth = own.merge(measured, on=["member", "snapshot"], how="left")
    trained = (truth["epoch"] > 0).to_numpy()
    return np.concatenate(values)[trained], truth[trained].reset_index(drop=True)


def _truth(zoo: Zoo) -> pd.DataFrame:
    known = [column for column in ("member", "optimizer") if column in zoo.members]
    table = zoo.snapshots.merge(zoo.members[known], on="member", how="left")
    return table.assign(generalisation_gap=table["train_accuracy"] - table["validation_accuracy"])


def measure_baselines(
    train_index: str | Path,
    held_out: Sequence[str | Path],
    fitted: Sequence[str | Path],
    accuracies: str | Path | None,
    out: str | Path,
) -> None:
    """Write what probes find without an encoder: in layer statistics, and in raw coefficients.

    Args:
        train_index, held_out, accuracies: see ``probe``.
        fitted: PCA files.
        out: CSV, rows of ``probe`` with ``encoder``: ``layer statistics`` or ``raw coefficients``.
    """
    with open_zoo(train_index) as zoo:
        layout = zoo.layout
        linear = load_linear(fitted, layout)
    kinds: dict[str, Features] = {
        "layer statistics": lambda weights: layer_statistics(weights, layout),
        "raw coefficients": lambda weights: linear.encode(lambda columns: weights[:, columns], len(weights)),
    }
    tables = [
        probe(features, train_index, held_out, accuracies).assign(encoder=name) for name, features in kinds.items()
    ]
    write_csv(out, pd.concat(tables, ignore_index=True))
