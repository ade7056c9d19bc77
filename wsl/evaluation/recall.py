"""Retrieval in the shared space: find the weights that belong to a (D, R) pair, and the reverse.

Only among trained snapshots: untrained members with a shared start have equal weights, so they cannot be distinguished.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wsl.evaluation.intervals import by_set, over_sets
from wsl.evaluation.shared_space import load_points, unit_rows
from wsl.files.hdf5 import part_of
from wsl.files.plain import Files, write_csv

DIRECTIONS = ("pairs to weights", "weights to pairs")
TOPS = (1, 5)
TIE = 1e-6  # closer cosines are tied: those of equal float32 embeddings differ by this much
NOTHING = -2.0  # below every cosine


def compare_all(queries: np.ndarray, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find each query's own candidate, that of the same row, by cosine similarity among all.

    Args:
        queries: (n, dimension).
        candidates: (n, dimension).

    Returns:
        How many candidates are more similar than the query's own, and how many equally similar, itself included (n,)
        each. Snapshots of a member with the same outcome have the same projection, so ties are common. A non-finite
        similarity counts as the lowest, so that a broken embedding retrieves nothing.
    """
    similarity = unit_rows(queries) @ unit_rows(candidates).T
    similarity = np.where(np.isfinite(similarity), similarity, NOTHING)
    ahead = similarity - np.diag(similarity)[:, None]
    return (ahead > TIE).sum(1), (np.abs(ahead) <= TIE).sum(1)


def mean_ranks(above: np.ndarray, tied: np.ndarray) -> np.ndarray:
    """Return the rank of each own candidate, from 1; tied candidates have their mean rank."""
    return above + (tied + 1) / 2


def recalls(above: np.ndarray, tied: np.ndarray, k: int | np.ndarray) -> np.ndarray:
    """Return whether each query's own candidate is among the first k (n,).

    Tied candidates stand in every order equally often, so one of t tied at the front counts 1/t at k = 1.
    """
    return np.clip((k - above) / tied, 0, 1)


def curve_places(count: int) -> np.ndarray:
    """Return the k at which recall is drawn, 1 to ``count``: all small ones, and about ten per factor of ten."""
    return np.unique(np.rint(np.geomspace(1, count, max(2, int(10 * np.log10(count)) + 1))).astype(int))


def retrieve(
    part: str, pairs: np.ndarray, weights: np.ndarray, snapshots: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Retrieve in both directions among the snapshots of a part.

    Args:
        part: its name.
        pairs: z_proj (n, latent), one row per snapshot.
        weights: z_W (n, latent).
        snapshots: their table, n rows with ``member``, ``task`` and ``snapshot``.

    Returns:
        One row per direction: ``candidates``, ``top1`` and ``top5`` (recall, means over sets of classes) with their
        95 % intervals (``_low``, ``_high``), ``median_rank``, the same at chance, ``snapshots`` (which kinds are
        candidates), ``tasks`` and ``sets``, the n of the intervals; and one row per direction, set of classes and k
        (see ``curve_places``): ``set``, ``recall`` (the mean over the set) and ``chance``.
    """
    summary, curves = [], []
    count, kinds = len(pairs), ", ".join(dict.fromkeys(snapshots["snapshot"]))
    chance = np.arange(1, count + 1) / count
    for direction, sides in zip(DIRECTIONS, ((pairs, weights), (weights, pairs)), strict=True):
        above, tied = compare_all(*sides)
        row = {"part": part, "direction": direction, "snapshots": kinds, "candidates": count}
        for k in TOPS:
            found = over_sets(snapshots.assign(recall=recalls(above, tied, k)), "recall")
            row |= {f"top{k}": found["mean"], f"top{k}_low": found["low"], f"top{k}_high": found["high"]}
            row[f"chance_top{k}"] = chance[min(k, count) - 1]
        row |= {"median_rank": np.median(mean_ranks(above, tied)), "chance_median_rank": (count + 1) / 2}
        summary.append({**row, "tasks": found["tasks"], "sets": found["sets"]})
        places = curve_places(count)
        columns = [str(k) for k in places]
        found = pd.DataFrame(recalls(above, tied, places[:, None]).T, columns=columns, index=snapshots.index)
        curve = by_set(snapshots[["member", "task"]].join(found), *columns).stack().rename("recall")
        curve = curve.rename_axis(["set", "k"]).reset_index().astype({"k": int})
        curves.append(curve.assign(part=part, direction=direction, chance=curve["k"] / count))
    return pd.DataFrame(summary), pd.concat(curves, ignore_index=True)


def measure_retrieval(
    latents: Sequence[str | Path],
    class_means: Files,
    bins: str | Path,
    shared: str | Path,
    out: str | Path,
    curves: str | Path,
) -> None:
    """Measure retrieval on the trained snapshots of held-out members.

    Args:
        latents: of the held-out parts, named after them.
        class_means: one file per class, or a list of them.
        bins: outcome bins.
        shared: the shared encoder.
        out: CSV of summaries, see ``retrieve``.
        curves: CSV of recalls by k.
    """
    found = []
    for path in latents:
        points = load_points(path, class_means, bins, shared)
        trained = (points.snapshots["epoch"] > 0).to_numpy()
        found.append(retrieve(part_of(path), points.pairs[trained], points.weights[trained], points.snapshots[trained]))
    write_csv(out, pd.concat([summary for summary, _ in found], ignore_index=True).round(4))
    write_csv(curves, pd.concat([curve for _, curve in found], ignore_index=True))
