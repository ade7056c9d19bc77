"""Linear probes of latents and of statistics of weights (Unterthiner et al. 2021)."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wsl.errors import DataError
from wsl.evaluation.intervals import RANGES, Interval, by_set, class_set, interval, r_squared
from wsl.evaluation.outputs import Runner, accuracy
from wsl.files.plain import Files, write_csv
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.jobs.job import Job
from wsl.weights.codec import WeightCodec, load_codec
from wsl.weights.coefficients import load_linear
from wsl.weights.pca import fit_parameters
from wsl.weights.pca_settings import PcaSettings
from wsl.zoo.index import open_zoo, read_snapshot, read_weights
from wsl.zoo.layout import Layout

PENALTIES = np.logspace(-3, 6, 19)
TARGETS = ("test_accuracy", "validation_loss", "epoch", "generalisation_gap")
OPTIMIZER = "optimizer"
NO_HYPERPARAMETERS = ("member", "task", "seed", "digest", "diverged")  # other columns of members
QUANTILES = (0, 25, 50, 75, 100)
BATCH = 16
COLUMNS = ["encoder", "target", "score", "low", "high", "chance", "snapshots", "members", "sets", "features"]
Features = Callable[[np.ndarray], np.ndarray]


def measure_accuracies(
    indices: Sequence[str | Path],
    packed: Files,
    out: str | Path,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write the test accuracy of every snapshot, a target of probes.

    Args:
        indices: of members.
        packed: packed images, one file per class, or a list of them.
        out: CSV with ``member``, ``snapshot``, ``test_accuracy``.
        job: its device.
    """
    images, tables = TaskImages(packed), []
    for path in indices:
        with open_zoo(path) as zoo:
            runner, accuracies = Runner(zoo.layout, job.device), []
            for row, task in enumerate(zoo.snapshots["task"]):
                inputs, labels = images.of_task(task, part="test")
                inputs = normalised(inputs, zoo.layout.normalisation)
                accuracies.append(accuracy(runner.logits(read_snapshot(zoo, row), inputs), labels))
            tables.append(zoo.snapshots[["member", "snapshot"]].assign(test_accuracy=accuracies))
    write_csv(out, pd.concat(tables, ignore_index=True))


def probe(
    features: Features | Mapping[Layout, Features],
    train_index: str | Path | Sequence[str | Path],
    held_out: Sequence[str | Path],
    accuracies: str | Path | None = None,
) -> pd.DataFrame:
    """Fit ridge probes on the snapshots of training members and evaluate them on held-out members.

    Args:
        features: returns numbers (n, k) of flat weights (n, n_weights); for a mixed zoo one function per layout.
        train_index: of training members, or a list of one per architecture; penalties come from leave-one-out
            cross-validation on them.
        held_out: indices of the members to evaluate on, named after their parts.
        accuracies: see ``measure_accuracies``; None: test accuracies that the zoo itself has.

    Returns:
        One row per target: ``target``, ``score`` (R² over held-out snapshots, or accuracy for the optimiser) with its
        95 % interval over sets of classes (``low``, ``high``), ``chance`` (0, or the fraction of the most frequent
        optimiser), the numbers of ``snapshots``, ``members`` and ``sets`` of classes, and of ``features``. Targets are
        those of ``TARGETS`` and the optimiser that have several finite values in both training and held-out members.
        Untrained snapshots are left out, since those with a shared start are equal.

    Raises:
        DataError: there is no target to probe for.
    """
    measured = None if accuracies is None else pd.read_csv(accuracies)
    training = [train_index] if isinstance(train_index, str | Path) else train_index
    return _scores(*_rows(features, training, measured), *_rows(features, held_out, measured), training[0])


def probe_hyperparameters(train_index: str | Path, held_out: Sequence[str | Path]) -> pd.DataFrame:
    """Fit ridge probes on hyper-parameters and the epoch in place of weights: what is known without weights.

    Numbers are read as they are and, if positive, by their logarithm; texts by indicators of the training members'
    values. The epoch is not used to predict itself.

    Returns:
        See ``probe``.
    """
    with open_zoo(train_index) as zoo:
        columns = ["epoch", *(column for column in zoo.members if column not in NO_HYPERPARAMETERS)]
    truth, held_out_truth = (_truth(paths) for paths in ([train_index], held_out))
    tables = []
    for target in (*TARGETS, OPTIMIZER):
        used = [column for column in columns if column != target]
        known, other = (_numbers(table, used, truth) for table in (truth, held_out_truth))
        if known.shape[1]:
            with suppress(DataError):  # there is nothing to predict
                tables.append(_scores(known, truth, other, held_out_truth, train_index, [target]))
    if not tables:
        raise DataError(f"{train_index}: all members have the same hyper-parameters")
    return pd.concat(tables, ignore_index=True)


def _numbers(table: pd.DataFrame, columns: Sequence[str], training: pd.DataFrame) -> np.ndarray:
    """Return hyper-parameters (n, k) as numbers; columns that are equal in all training rows are left out."""
    features = []
    for column in columns:
        known, values = training[column], table.get(column, pd.Series(np.nan, index=table.index))
        if known.nunique() < 2:
            continue
        if pd.api.types.is_numeric_dtype(known):
            values = values.fillna(known.mean()).astype(float)
            features.append(values)
            if known.min() > 0:
                features.append(np.log(values.where(values > 0, known.min())))
        elif known.nunique() < training["member"].nunique():  # otherwise it is a name
            features += [(values == value).astype(float) for value in sorted(known.dropna().unique(), key=str)]
    return np.column_stack(features) if features else np.empty((len(table), 0))


def _scores(
    train_features: np.ndarray,
    truth: pd.DataFrame,
    held_out_features: np.ndarray,
    held_out_truth: pd.DataFrame,
    index: str | Path,
    targets: Sequence[str] = (*TARGETS, OPTIMIZER),
) -> pd.DataFrame:
    """Fit probes of features (n, k) and return their scores, see ``probe``."""
    rows = []
    for target in targets:
        if target == OPTIMIZER:
            continue
        fitted, evaluated = _finite(truth, target), _finite(held_out_truth, target)
        if fitted.any() and evaluated.any():
            model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
            model.fit(train_features[fitted], truth[target][fitted])
            table = held_out_truth[evaluated]
            predicted = model.predict(held_out_features[evaluated])
            score = r_squared(table[target], predicted, table["task"].map(class_set))
            rows.append(_row(target, score, 0.0, table))
    several = OPTIMIZER in truth and OPTIMIZER in held_out_truth and truth[OPTIMIZER].nunique() > 1
    if several and OPTIMIZER in targets:
        model = make_pipeline(StandardScaler(), RidgeClassifierCV(PENALTIES)).fit(train_features, truth[OPTIMIZER])
        chance = held_out_truth[OPTIMIZER].value_counts(normalize=True).max()
        table = held_out_truth.assign(accuracy=model.predict(held_out_features) == held_out_truth[OPTIMIZER])
        score = interval(by_set(table, "accuracy")["accuracy"].to_numpy(), RANGES["accuracy"])
        rows.append(_row(OPTIMIZER, score, chance, table))
    if not rows:
        raise DataError(f"{index}: none of {', '.join(TARGETS)} has two finite values in each part")
    return pd.DataFrame(rows).assign(features=train_features.shape[1])


def _finite(table: pd.DataFrame, target: str) -> np.ndarray:
    """Return a mask of rows with a finite value of a target; no row if all values are equal."""
    none = np.zeros(len(table), dtype=bool)
    finite = np.isfinite(table[target]).to_numpy() if target in table else none
    return finite if finite.any() and table[target][finite].nunique() > 1 else none


def _row(target: str, score: Interval, chance: float, table: pd.DataFrame) -> dict[str, float | str]:
    scores = {"score": score.mean, "low": score.low, "high": score.high, "chance": chance}
    sets = table["task"].map(class_set).nunique()
    counts = {"snapshots": len(table), "members": table["member"].nunique(), "sets": sets}
    return {"target": target, **scores, **counts}


def layer_statistics(weights: np.ndarray, layout: Layout) -> np.ndarray:
    """Return mean, variance and quartiles of each named parameter (n, 7 * parameters) of weights (n, n_weights)."""
    statistics = []
    for entry in layout.entries:
        values = weights[:, entry.columns]
        statistics += [values.mean(1), values.var(1), *np.percentile(values, QUANTILES, axis=1)]
    return np.stack(statistics, axis=1)


def _rows(
    features: Features | Mapping[Layout, Features], indices: Sequence[str | Path], measured: pd.DataFrame | None
) -> tuple[np.ndarray, pd.DataFrame]:
    values = []
    for path in indices:
        with open_zoo(path) as zoo:
            starts = range(0, len(zoo.snapshots), BATCH)
            of = features[zoo.layout] if isinstance(features, Mapping) else features
            values += [of(read_weights(zoo, slice(start, start + BATCH))) for start in starts]
    truth = _truth(indices, measured, trained=False)
    trained = (truth["epoch"] > 0).to_numpy()
    return np.concatenate(values)[trained], truth[trained].reset_index(drop=True)


def _truth(indices: Sequence[str | Path], measured: pd.DataFrame | None = None, trained: bool = True) -> pd.DataFrame:
    """Return one row per snapshot: its results, and the plan of its member; ``trained``: without untrained ones."""
    tables = []
    for path in indices:
        with open_zoo(path) as zoo:
            columns = [column for column in zoo.members if column == "member" or column not in zoo.snapshots]
            tables.append(zoo.snapshots.merge(zoo.members[columns], on="member", how="left"))
    truth = pd.concat(tables, ignore_index=True)
    truth["generalisation_gap"] = truth["train_accuracy"] - truth["validation_accuracy"]
    if measured is not None:
        truth = truth.drop(columns="test_accuracy", errors="ignore")  # of an imported zoo
        truth = truth.merge(measured, on=["member", "snapshot"], how="left")
    return truth[truth["epoch"] > 0].reset_index(drop=True) if trained else truth


def probe_weights(
    train_index: str | Path,
    held_out: Sequence[str | Path],
    fitted: Sequence[str | Path],
    encoder: str | Path,
    out: str | Path,
    name: str,
) -> None:
    """Write scores of probes of a run's latents, and of probes without an encoder, from weights and results alone.

    Args:
        train_index: see ``probe``.
        held_out: see ``probe``.
        fitted: PCA files.
        encoder: the fitted weight encoder.
        out: CSV, rows of ``probe`` with ``encoder``: ``name``, ``layer statistics`` or ``raw coefficients``.
        name: of the encoder.
    """
    codec = load_codec(train_index, fitted, encoder)
    own = probe(codec.encode, train_index, held_out).assign(encoder=name)
    table = pd.concat([own, *_baselines(train_index, held_out, fitted, None)], ignore_index=True)
    write_csv(out, table[COLUMNS].round(4))


def probes_of(
    train_index: str | Path, held_out: Sequence[str | Path], folder: Path, codecs: Mapping[str, WeightCodec]
) -> pd.DataFrame:
    """Return scores of probes of a zoo that need no run: of weights, of hyper-parameters, and of given encoders.

    Args:
        train_index: see ``probe``.
        held_out: see ``probe``.
        folder: empty folder for PCA files of the training members.
        codecs: further encoders by name.

    Returns:
        Rows of ``probe`` with ``encoder``: ``hyper-parameters``, ``layer statistics``, ``raw coefficients`` or a name.
    """
    with open_zoo(train_index) as zoo:
        names = [entry.name for entry in zoo.layout.entries]
    fitted = [folder / f"{place}.h5" for place in range(len(names))]
    fit_parameters(train_index, fitted, names, PcaSettings())
    tables = [probe(codec.encode, train_index, held_out).assign(encoder=name) for name, codec in codecs.items()]
    tables += _baselines(train_index, held_out, fitted, None)
    with suppress(DataError):  # all are equal
        tables.append(probe_hyperparameters(train_index, held_out).assign(encoder="hyper-parameters"))
    return pd.concat(tables, ignore_index=True)[COLUMNS].rename(columns={"encoder": "predicted from"})


def measure_baselines(
    train_index: str | Path,
    held_out: Sequence[str | Path],
    fitted: Sequence[str | Path],
    accuracies: str | Path | None,
    out: str | Path,
) -> None:
    """Write scores of probes without an encoder.

    Args:
        train_index: see ``probe``.
        held_out: see ``probe``.
        fitted: PCA files.
        accuracies: see ``probe``.
        out: CSV, rows of ``probe`` with ``encoder``: ``layer statistics`` or ``raw coefficients``.
    """
    write_csv(out, pd.concat(_baselines(train_index, held_out, fitted, accuracies), ignore_index=True))


def _baselines(
    train_index: str | Path, held_out: Sequence[str | Path], fitted: Sequence[str | Path], accuracies: str | Path | None
) -> list[pd.DataFrame]:
    with open_zoo(train_index) as zoo:
        layout = zoo.layout
        linear = load_linear(fitted, layout)
    kinds: dict[str, Features] = {
        "layer statistics": lambda weights: layer_statistics(weights, layout),
        "raw coefficients": lambda weights: linear.encode(lambda columns: weights[:, columns], len(weights)),
    }
    files = train_index, held_out, accuracies
    return [probe(features, *files).assign(encoder=name) for name, features in kinds.items()]
