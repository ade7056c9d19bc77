"""Linear probes: how well weights, or what encoders make of them, predict results (Unterthiner et al. 2020)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from wsl.errors import DataError
from wsl.evaluation.intervals import RANGES, class_set, interval, r_squared, r_squared_gain
from wsl.evaluation.ridge import Standard, fit_ridge, in_row_space
from wsl.weights.encoders._features import layer_statistics
from wsl.zoo.few_sets import DATASET, MEMBERS, SETS
from wsl.zoo.index import Zoo, open_zoo, read_weights
from wsl.zoo.layout import Layout
from wsl.zoo.plan import hyper_parameters

TARGETS = ("test_accuracy", "validation_loss", "epoch", "generalisation_gap")
OPTIMIZER = "optimizer"
NUMBERS = 2**25  # maximum number of weights that are read at once
GAIN = ("gain", "gain_low", "gain_high")
ALL = "all"  # the summary that is everything that an encoder returns
COLUMNS = ["encoder", "summary", "target", "with_statistics", "score", "low", "high", *GAIN]
COLUMNS += ["kendall", "chance", "snapshots", "members", "sets", "unit", "features"]
Features = Callable[[np.ndarray], np.ndarray | Mapping[str, np.ndarray]]
Index = str | Path


class Table(NamedTuple):
    """What probes read of the trained snapshots of some indices.

    Attributes:
        features: (n, k), by summary.
        statistics: s(W) (n, 7 * parameters); None: not needed.
        truth: one row per snapshot, see ``_truth``.
    """

    features: dict[str, np.ndarray]
    statistics: np.ndarray | None
    truth: pd.DataFrame


def probe(
    features: Features | Mapping[Layout, Features],
    train_index: Index | Sequence[Index],
    held_out: Sequence[Index],
    accuracies: Index | None = None,
    compared: bool = True,
) -> pd.DataFrame:
    """Fit ridge probes on the snapshots of training members and evaluate them on held-out members.

    Args:
        features: returns numbers (n, k) of flat weights (n, n_weights), or several such arrays by ``summary``; for a
            mixed zoo one function per layout.
        train_index: of training members, or a list of one per architecture; penalties come from leaving out one of
            these members after the other, see ``fit_ridge``.
        held_out: indices of the members to evaluate on, named after their parts.
        accuracies: see ``wsl.evaluation.accuracies.measure_accuracies``; None: test accuracies that the zoo has itself.
        compared: whether to compare with s(W), see below; a mixed zoo is not.

    Returns:
        One row per summary and target: ``summary`` (``all`` for a single array), ``target``, ``score`` (R² over
        held-out snapshots, or accuracy for the optimiser) with its 95 % interval (``low``, ``high``) over ``unit``:
        sets of classes, or members if all have one task or each has a whole image source as its task; ``kendall``, the
        rank correlation of predictions and truth; ``chance`` (0, or the fraction of the most frequent optimiser); the
        numbers of ``snapshots``, ``members`` and ``sets`` of classes, and of ``features``. ``gain`` is the R² above
        that of s(W) on the same snapshots, with its interval. Rows ``with_statistics`` are those of probes of the
        features and s(W) together.

        Targets are those of ``TARGETS`` and the optimiser that have several finite values in both training and held-out
        members. Untrained snapshots are left out, since those with a shared start are equal.

    Raises:
        DataError: there is no target to probe for.
    """
    measured = None if accuracies is None else pd.read_csv(accuracies)
    training = [train_index] if isinstance(train_index, str | Path) else train_index
    compared = compared and not isinstance(features, Mapping)
    known, other = (_table(features, paths, measured, compared) for paths in (training, held_out))
    reference = _predicted(known.statistics, known.truth, other.statistics, other.truth) if compared else None
    tables = []
    for name in known.features:
        kinds = {False: [table.features[name] for table in (known, other)]}
        if compared:
            kinds[True] = [np.concatenate([table.features[name], table.statistics], axis=1) for table in (known, other)]
        for joint, (fitted, evaluated) in kinds.items():
            predicted = _predicted(fitted, known.truth, evaluated, other.truth)
            if not predicted:
                raise DataError(f"{training[0]}: none of {', '.join(TARGETS)} has two finite values in each part")
            scores = _scores(predicted, known.truth, other.truth, fitted.shape[1], reference)
            tables.append(scores.assign(summary=name, with_statistics=joint))
    return pd.concat(tables, ignore_index=True)


def probe_statistics(train_index: Index, held_out: Sequence[Index], accuracies: Index | None = None) -> pd.DataFrame:
    """Fit probes of s(W); see ``probe``."""
    with open_zoo(train_index) as zoo:
        layout = zoo.layout
    features = lambda weights: layer_statistics(weights, layout)  # noqa: E731
    return probe(features, train_index, held_out, accuracies, compared=False)


def probe_weights(train_index: Index, held_out: Sequence[Index], accuracies: Index | None = None) -> pd.DataFrame:
    """Fit probes of the weights themselves, read in blocks of columns, since networks may be large; see ``probe``."""
    measured = None if accuracies is None else pd.read_csv(accuracies)
    truth, held_out_truth = _truth([train_index], measured), _truth(held_out, measured)
    products = np.zeros((len(truth), len(truth))), np.zeros((len(held_out_truth), len(truth)))
    with open_zoo(train_index) as zoo:
        size = zoo.layout.size
    step = max(NUMBERS // max(len(truth), len(held_out_truth)), 1)
    if small := size <= min(len(truth), step):
        known, other = _columns([train_index], slice(None)), _columns(held_out, slice(None))
    else:
        for start in range(0, size, step):
            columns = slice(start, min(start + step, size))
            block = _columns([train_index], columns)
            standard = Standard.of(block)
            block = standard(block)
            products[0][...] += block @ block.T
            products[1][...] += standard(_columns(held_out, columns)) @ block.T
        known, other = in_row_space(*products)
    predicted = _predicted(known, truth, other, held_out_truth, standard=small)
    if not predicted:
        raise DataError(f"{train_index}: none of {', '.join(TARGETS)} has two finite values in each part")
    return _scores(predicted, truth, held_out_truth, size)


def probe_hyperparameters(train_index: Index, held_out: Sequence[Index]) -> pd.DataFrame:
    """Fit ridge probes on hyper-parameters and the epoch in place of weights: what is known without weights.

    Numbers are read as they are and, if positive, by their logarithm; texts by indicators of the training members'
    values. The epoch is not used to predict itself.

    Returns:
        See ``probe``.

    Raises:
        DataError: all members have the same hyper-parameters.
    """
    with open_zoo(train_index) as zoo:
        columns = ["epoch", *hyper_parameters(zoo.members)]
    truth, held_out_truth = (_truth(paths) for paths in ([train_index], held_out))
    tables = []
    for target in (*TARGETS, OPTIMIZER):
        used = [column for column in columns if column != target]
        known, other = (_numbers(table, used, truth) for table in (truth, held_out_truth))
        predicted = _predicted(known, truth, other, held_out_truth, [target]) if known.shape[1] else {}
        if predicted:
            tables.append(_scores(predicted, truth, held_out_truth, known.shape[1]))
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


def _predicted(
    known: np.ndarray,
    truth: pd.DataFrame,
    other: np.ndarray,
    held_out: pd.DataFrame,
    targets: Sequence[str] = (*TARGETS, OPTIMIZER),
    standard: bool = True,
) -> dict[str, np.ndarray]:
    """Return predictions (m,) of held-out snapshots by target, from features (n, k) and (m, k).

    ``standard``: whether to standardise each feature.
    """
    predictions: dict[str, np.ndarray] = {}
    masks: dict[bytes, list[str]] = {}
    for target in targets:
        if target != OPTIMIZER and (fitted := _finite(truth, target)).any() and _finite(held_out, target).any():
            masks.setdefault(fitted.tobytes(), []).append(target)
    for mask, names in masks.items():  # targets with the same rows share one decomposition
        fitted = np.frombuffer(mask, dtype=bool)
        to_units = Standard.of(known[fitted]) if standard else np.asarray
        model = fit_ridge(to_units(known[fitted]), truth[names].to_numpy()[fitted], truth["member"].to_numpy()[fitted])
        predictions |= dict(zip(names, model.predict(to_units(other)).T, strict=True))
    several = OPTIMIZER in truth and OPTIMIZER in held_out and truth[OPTIMIZER].nunique() > 1
    if several and OPTIMIZER in targets:
        names, to_units = np.unique(truth[OPTIMIZER]), Standard.of(known) if standard else np.asarray
        indicators = np.where(truth[OPTIMIZER].to_numpy()[:, None] == names, 1.0, -1.0)
        model = fit_ridge(to_units(known), indicators, truth["member"].to_numpy(), together=True)
        predictions[OPTIMIZER] = names[model.predict(to_units(other)).argmax(axis=1)]
    return {target: predictions[target] for target in targets if target in predictions}


def _finite(table: pd.DataFrame, target: str) -> np.ndarray:
    """Return a mask of rows with a finite value of a target; no row if all values are equal."""
    none = np.zeros(len(table), dtype=bool)
    finite = np.isfinite(table[target]).to_numpy() if target in table else none
    return finite if finite.any() and table[target][finite].nunique() > 1 else none


def _scores(
    predictions: Mapping[str, np.ndarray],
    training: pd.DataFrame,
    truth: pd.DataFrame,
    features: int,
    reference: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Return the scores of predictions of held-out snapshots, and their gain over other predictions; see ``probe``."""
    tasks = pd.concat([training["task"], truth["task"]])
    alone = tasks.nunique() == 1 or (DATASET in training and DATASET in truth)
    rows = []
    for target, predicted in predictions.items():
        kept = np.ones(len(truth), dtype=bool) if target == OPTIMIZER else _finite(truth, target)
        table, values = truth[kept], predicted[kept]
        sets = table["task"].map(class_set)
        units = (table["member"] if alone else sets).to_numpy()
        about = {"members": table["member"].nunique(), "sets": sets.nunique(), "unit": MEMBERS if alone else SETS}
        row = {"summary": ALL, "target": target, "with_statistics": False, **dict.fromkeys((*GAIN, "kendall"), np.nan)}
        if target == OPTIMIZER:
            right = pd.DataFrame({"unit": units, "member": table["member"], "right": values == table[target]})
            means = right.groupby(["unit", "member"])["right"].mean().groupby("unit").mean()
            score = interval(means.to_numpy(), RANGES["accuracy"])
            chance = table[target].value_counts(normalize=True).max()
        else:
            score, chance = r_squared(table[target], values, units), 0.0
            row["kendall"] = kendalltau(table[target], values).statistic
            if reference is not None:
                gain = r_squared_gain(table[target].to_numpy(), values, reference[target][kept], units)
                row |= dict(zip(GAIN, gain, strict=True))
        scores = {"score": score.mean, "low": score.low, "high": score.high, "chance": chance}
        rows.append({**row, **scores, "snapshots": len(table), **about, "features": features})
    return pd.DataFrame(rows)


def _blocks(zoo: Zoo) -> Iterator[np.ndarray]:
    """Yield the weights of trained snapshots (n, n_weights), as many as ``NUMBERS`` allows."""
    count, step = len(zoo.snapshots), max(NUMBERS // zoo.layout.size, 1)
    trained = (zoo.snapshots["epoch"] > 0).to_numpy()
    for start in range(0, count, step):
        yield read_weights(zoo, slice(start, start + step))[trained[start : start + step]]


def _columns(indices: Sequence[Index], columns: slice) -> np.ndarray:
    """Return some columns of all trained snapshots, float32 (n, columns)."""
    values = []
    for path in indices:
        with open_zoo(path) as zoo:
            values.append(read_weights(zoo, columns=columns)[(zoo.snapshots["epoch"] > 0).to_numpy()])
    return np.concatenate(values)


def _table(
    features: Features | Mapping[Layout, Features],
    indices: Sequence[Index],
    measured: pd.DataFrame | None,
    with_statistics: bool,
) -> Table:
    values: dict[str, list[np.ndarray]] = {}
    statistics = []
    for path in indices:
        with open_zoo(path) as zoo:
            of = features[zoo.layout] if isinstance(features, Mapping) else features
            for weights in _blocks(zoo):
                found = of(weights)
                for name, block in found.items() if isinstance(found, Mapping) else [(ALL, found)]:
                    values.setdefault(name, []).append(block)
                if with_statistics:
                    statistics.append(layer_statistics(weights, zoo.layout))
    joined = {name: np.concatenate(blocks) for name, blocks in values.items()}
    return Table(joined, np.concatenate(statistics) if statistics else None, _truth(indices, measured))


def _truth(indices: Sequence[Index], measured: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row per trained snapshot: its results, and the plan of its member."""
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
    return truth[truth["epoch"] > 0].reset_index(drop=True)
