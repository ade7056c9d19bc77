"""Retrieval in the shared space: find the weights that belong to a (D, R) pair, and the reverse.

Only trained snapshots are candidates, since untrained members with a shared start have equal weights.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wsl.evaluation.intervals import by_set, over_sets
from wsl.evaluation.shared_space import load_points, unit_rows
from wsl.files.hdf5 import part_of
from wsl.files.plain import Files, write_csv
from wsl.zoo.few_sets import SETS

DIRECTIONS = ("pairs to weights", "weights to pairs")
TOPS = (1, 5)
TIE = 1e-6  # cosines of equal float32 embeddings differ by up to this
NOTHING = -2.0  # below every cosine


def compare_all(queries: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare each query with all candidates (n, dimension) by cosine; the right candidate has the query's row.

    Returns:
        Numbers of candidates that are more similar than the right one (n,), and of those equally similar, including
        it (n,). Snapshots of a member with the same outcome have the same projection, so ties are common. Non-finite
        similarities are the lowest.
    """
    similarity = unit_rows(queries) @ unit_rows(candidates).T
    similarity = np.where(np.isfinite(similarity), similarity, NOTHING)
    ahead = similarity - np.diag(similarity)[:, None]
    return (ahead > TIE).sum(1), (np.abs(ahead) <= TIE).sum(1)


def mean_ranks(above: np.ndarray, tied: np.ndarray) -> np.ndarray:
    """Return the rank of each right candidate, from 1; tied candidates have their mean rank."""
    return above + (tied + 1) / 2


def recalls(above: np.ndarray, tied: np.ndarray, k: int | np.ndarray) -> np.ndarray:
    """Return the probability that each query's right candidate is among the first k (n,), with ties in random order."""
    return np.clip((k - above) / tied, 0, 1)


def curve_places(count: int) -> np.ndarray:
    """Return the k of recall curves, 1 to ``count``: all small ones, and about ten per factor of ten."""
    return np.unique(np.rint(np.geomspace(1, count, max(2, int(10 * np.log10(count)) + 1))).astype(int))


def retrieve(
    part: str, pairs: np.ndarray, weights: np.ndarray, snapshots: pd.DataFrame, unit: str = SETS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Retrieve in both directions among the snapshots of a part.

    Args:
        part: its name.
        pairs: z_proj (n, latent), one row per snapshot.
        weights: z_W (n, latent).
        snapshots: their table, n rows with ``member``, ``task`` and ``snapshot``.
        unit: of intervals, see ``wsl.zoo.few_sets``.

    Returns:
        One row per direction: number of ``candidates`` and kinds of ``snapshots`` among them, ``top1`` and ``top5``
        (recall, means over sets of classes) with 95 % intervals (``_low``, ``_high``), ``median_rank``, all also at
        chance, ``tasks``, ``sets`` and ``unit``; and one row per direction, unit (set of classes or member) and k of
        ``curve_places``: ``set``, ``recall`` (mean over the set), ``chance`` and ``unit``.
    """
    summary, curves = [], []
    count, kinds = len(pairs), ", ".join(dict.fromkeys(snapshots["snapshot"]))
    chance = np.arange(1, count + 1) / count
    for direction, sides in zip(DIRECTIONS, ((pairs, weights), (weights, pairs)), strict=True):
        above, tied = compare_all(*sides)
        row = {"part": part, "direction": direction, "snapshots": kinds, "candidates": count}
        for k in TOPS:
            means = over_sets(snapshots.assign(recall=recalls(above, tied, k)), "recall", unit=unit)
            row |= {f"top{k}": means["mean"], f"top{k}_low": means["low"], f"top{k}_high": means["high"]}
            row[f"chance_top{k}"] = chance[min(k, count) - 1]
        row |= {"median_rank": np.median(mean_ranks(above, tied)), "chance_median_rank": (count + 1) / 2}
        summary.append({**row, **{key: means[key] for key in ("tasks", "sets", "unit")}})
        places = curve_places(count)
        columns = [*map(str, places)]
        by_k = pd.DataFrame(recalls(above, tied, places[:, None]).T, columns=columns, index=snapshots.index)
        curve = by_set(snapshots[["member", "task"]].join(by_k), *columns, unit=unit).stack().rename("recall")
        curve = curve.rename_axis(["set", "k"]).reset_index().astype({"k": int})
        curves.append(curve.assign(part=part, direction=direction, chance=curve["k"] / count, unit=unit))
    return pd.DataFrame(summary), pd.concat(curves, ignore_index=True)


def measure_retrieval(
    latents: Sequence[str | Path],
    class_means: Files,
    bins: str | Path,
    shared: str | Path,
    out: str | Path,
    curves: str | Path,
    unit: str = SETS,
) -> None:
    """Measure retrieval on the trained snapshots of held-out members.

    Args:
        latents: of the held-out parts, named after them.
        class_means: one file per class, or a list of them.
        bins: outcome bins.
        shared: the shared encoder.
        out: CSV of summaries, see ``retrieve``.
        curves: CSV of recalls by k.
        unit: of intervals, see ``wsl.zoo.few_sets``.
    """
    tables = []
    for path in latents:
        points = load_points(path, class_means, bins, shared)
        trained = (points.snapshots["epoch"] > 0).to_numpy()
        tables.append(retrieve(part_of(path), *(values[trained] for values in points), unit))
    summary, curve = (pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True))
    write_csv(out, summary.round(4))
    write_csv(curves, curve)
