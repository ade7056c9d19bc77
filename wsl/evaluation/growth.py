"""Accuracy of samples and agreement of reconstructions by the number of training members, of one zoo or several."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from wsl.evaluation.intervals import RANGES, interval
from wsl.evaluation.tables import TRAINED
from wsl.files.plain import write_csv
from wsl.zoo.few_sets import SETS

SEEDS = "zoo seeds"  # unit of intervals over zoos
HELD_OUT = ("seen", "unseen")
UNKNOWN = -1  # seed of zoos of others, and both of runs of earlier versions: they count as one
OF_RUNS = ["members", "snapshots", "zoo_seed"]
KEYS = ["measure", "classes", "sampler", "members", "snapshots"]
COLUMNS = [*KEYS, "value", "low", "high", "tasks", "sets", "unit", "zoo_seeds"]


def write_growth(
    accuracy: str | Path, reconstructions: Sequence[str | Path], out: str | Path, runs: Sequence[str]
) -> None:
    """Write how accuracy and agreement grow with the number of training members.

    Args:
        accuracy: see ``wsl.evaluation.tables.accuracy_table``; with the rows of other runs.
        reconstructions: tables of these runs, see ``wsl.evaluation.tables.reconstruction_table``.
        out: CSV, see ``growth_rows``.
        runs: names of the runs of ``reconstructions``.
    """
    tables = {run: pd.read_csv(path) for run, path in zip(runs, reconstructions, strict=True)}
    write_csv(out, growth_rows(pd.read_csv(accuracy, dtype={"images": str}), tables).round(4))


def growth_rows(accuracies: pd.DataFrame, reconstructions: Mapping[str, pd.DataFrame] | None = None) -> pd.DataFrame:
    """Return one row per measure, kind of classes, method, and numbers of training members and of their snapshots.

    Runs with the regime of the first one are compared. If some of them have as many members of zoos with other seeds, a
    row is the mean over these zoos with its t interval: zoos are independent, runs on one zoo are not. A number of
    members with one zoo then has no interval. Otherwise intervals are those of the runs.

    Args:
        accuracies: see ``accuracy_table``.
        reconstructions: see ``reconstruction_table``, by the name of the run.

    Returns:
        ``measure`` (``accuracy`` of models on all test images, without fine-tuning, or ``agreement`` of trained members
        with their reconstructions), ``classes`` (``seen`` or ``unseen``), ``sampler`` (the method), ``members``,
        ``snapshots`` (of a member, at most), ``value``, ``low``, ``high``, ``tasks`` and ``sets`` (the largest of a
        run), ``unit`` (of the interval, see ``wsl.zoo.few_sets``, or ``zoo seeds``) and ``zoo_seeds``, their number.
    """
    accuracies = accuracies[accuracies["regime"] == accuracies["regime"].iloc[0]]
    known = accuracies.reindex(columns=["snapshots", "zoo_seed"]).fillna(UNKNOWN).astype(int)
    accuracies = accuracies.assign(**known)
    about = accuracies.drop_duplicates("run").set_index("run")[OF_RUNS]
    chosen = (accuracies["images"] == "all") & (accuracies["epochs"] == 0) & accuracies["classes"].isin(HELD_OUT)
    tables = [accuracies[chosen].rename(columns={"accuracy": "value"}).assign(measure="accuracy")]
    for run, table in (reconstructions or {}).items():
        if run in about.index:
            kind = {"stage": "latent", "snapshot": TRAINED, "metric": "agreement"}
            rows = table[(table[list(kind)] == pd.Series(kind)).all(axis=1)].rename(columns={"mean": "value"})
            method = {"measure": "agreement", "classes": "seen", "sampler": "reconstructed"}
            tables.append(rows.assign(**method, **about.loc[run]))
    rows = pd.concat(tables, ignore_index=True).drop_duplicates([*KEYS, "zoo_seed"])
    if rows.groupby(KEYS)["zoo_seed"].nunique().max() > 1:
        groups = rows.groupby(KEYS, sort=False)
        rows = pd.DataFrame([_over_seeds(dict(zip(KEYS, key, strict=True)), group) for key, group in groups])
    else:
        rows = rows.assign(zoo_seeds=1, unit=rows.get("unit", SETS))
    return rows.sort_values("measure", kind="stable").reindex(columns=COLUMNS)


def _over_seeds(about: dict[str, str | int], group: pd.DataFrame) -> dict[str, str | int | float]:
    value, low, high = interval(group["value"].to_numpy(), RANGES[about["measure"]])
    counts = {name: group[name].max() for name in ("tasks", "sets") if name in group}
    return {**about, "value": value, "low": low, "high": high, **counts, "unit": SEEDS, "zoo_seeds": len(group)}
