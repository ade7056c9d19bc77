"""A flat map of the shared space: weights and (D, R) pairs of the same snapshots."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from wsl.evaluation.shared_space import Points, load_points, unit_rows
from wsl.files import Files, part_of, write_csv
from wsl.images.reading import task_classes
from wsl.shared.pairs import first_members

log = logging.getLogger(__name__)
PERPLEXITY = 30  # scikit-learn's default


def flatten_points(values: np.ndarray, method: str, seed: int) -> np.ndarray:
    """Return places on a map (n, 2) of points (n, dimension), by their directions alone.

    Args:
        values: n of them, finite.
        method: ``tsne``, which keeps neighbours, or ``pca``, which keeps the largest distances.
        seed: of t-SNE.
    """
    directions = unit_rows(values)
    start = PCA(2, svd_solver="full").fit_transform(directions)
    if method == "pca":
        return start
    # Neighbours are at most a third of all points, as scikit-learn's own documentation advises for few.
    perplexity = min(PERPLEXITY, max(1, (len(values) - 1) // 3))
    start = start / max(start[:, 0].std(), 1e-12) * 1e-4  # the spread that t-SNE's first steps want
    return TSNE(2, perplexity=perplexity, init=np.float32(start), random_state=seed).fit_transform(directions)


def map_points(parts: dict[str, Points], superclasses: dict[str, str], method: str, seed: int) -> pd.DataFrame:
    """Lay out both points of every snapshot on one map.

    Args:
        parts: by name.
        superclasses: of classes; one that has none stands for itself.
        method, seed: see ``flatten_points``.

    Returns:
        Two rows a snapshot, ``kind`` ``weights`` and ``pair``: ``part``, ``member``, ``snapshot``, ``epoch``,
        ``task``, ``superclass`` (of the task's first class), ``accuracy`` (validation), ``x``, ``y``. Points that are
        not finite have no place.
    """
    tables = []
    for part, points in parts.items():
        kept = points.snapshots[["member", "snapshot", "epoch", "task"]].assign(
            part=part,
            superclass=[superclasses.get(first, first) for first, *_ in map(task_classes, points.snapshots["task"])],
            accuracy=points.snapshots["validation_accuracy"],
        )
        tables += [kept.assign(kind="weights"), kept.assign(kind="pair")]
    table = pd.concat(tables, ignore_index=True)
    values = np.concatenate([side for points in parts.values() for side in (points.weights, points.pairs)])
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        log.warning("%d of %d points are not finite and have no place on the map", (~finite).sum(), len(finite))
    table.loc[finite, ["x", "y"]] = flatten_points(values[finite], method, seed)
    return table


def write_map(
    latents: Sequence[str | Path],
    class_means: Files,
    bins: str | Path,
    shared: str | Path,
    out: str | Path,
    superclasses: dict[str, str],
    members: int,
    method: str,
    seed: int,
) -> None:
    """Write the map of all held-out members and the first training members.

    Args:
        latents: of the parts, named after them (``train.h5``, ``test.h5``).
        class_means: a file a class, or a list of them; bins: outcome bins; shared: the shared encoder.
        out: CSV, see ``map_points``.
        superclasses, method, seed: see ``map_points``.
        members: most training members.
    """
    parts = {}
    for path in latents:
        points, part = load_points(path, class_means, bins, shared), part_of(path)
        if part == "train":
            first = first_members(points.snapshots, members)
            points = Points(points.pairs[first], points.weights[first], points.snapshots[first].reset_index(drop=True))
        parts[part] = points
    write_csv(out, map_points(parts, superclasses, method, seed))
