"""A two-dimensional map of the shared space: weights and (D, R) pairs of the same snapshots."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from wsl.evaluation.settings import MAP_MEMBERS
from wsl.evaluation.shared_space import Points, load_points, unit_rows
from wsl.files.hdf5 import part_of
from wsl.files.plain import Files, write_csv
from wsl.images.reading import task_classes
from wsl.jobs.job import Job
from wsl.shared.pairs import first_members

log = logging.getLogger(__name__)
PERPLEXITY = 30  # scikit-learn's default


def flatten_points(values: np.ndarray, seed: int) -> np.ndarray:
    """Return t-SNE coordinates (n, 2) of the directions of points (n, dimension), which must be finite."""
    directions = unit_rows(values)
    start = PCA(2, svd_solver="full").fit_transform(directions)
    # At most a third of the points, as scikit-learn's documentation recommends for few points.
    perplexity = min(PERPLEXITY, max(1, (len(values) - 1) // 3))
    start = start / max(start[:, 0].std(), 1e-12) * 1e-4  # the scale that scikit-learn recommends
    return TSNE(2, perplexity=perplexity, init=np.float32(start), random_state=seed).fit_transform(directions)


def map_points(parts: dict[str, Points], superclasses: dict[str, str], seed: int) -> pd.DataFrame:
    """Place both points of every snapshot on one map.

    Args:
        parts: by name.
        superclasses: of classes; a class without one is its own superclass.
        seed: of t-SNE.

    Returns:
        Two rows per snapshot, ``kind`` ``weights`` and ``pair``: ``part``, ``member``, ``snapshot``, ``epoch``,
        ``task``, ``superclass`` (of the task's first class), ``accuracy`` (validation), ``x``, ``y`` (NaN for points
        that are not finite).
    """
    tables = []
    for part, points in parts.items():
        snapshots = points.snapshots
        table = snapshots[["member", "snapshot", "epoch", "task"]].assign(
            part=part,
            superclass=[superclasses.get(first, first) for first, *_ in map(task_classes, snapshots["task"])],
            accuracy=snapshots["validation_accuracy"],
        )
        tables += [table.assign(kind="weights"), table.assign(kind="pair")]
    table = pd.concat(tables, ignore_index=True)
    values = np.concatenate([side for points in parts.values() for side in (points.weights, points.pairs)])
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        log.warning("%d of %d points are not finite and are left out of the map", (~finite).sum(), len(finite))
    table.loc[finite, ["x", "y"]] = flatten_points(values[finite], seed)
    return table


def write_map(
    latents: Sequence[str | Path],
    class_means: Files,
    bins: str | Path,
    shared: str | Path,
    out: str | Path,
    superclasses: dict[str, str],
    members: int = MAP_MEMBERS,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write the map of all held-out members and the first training members.

    Args:
        latents: of the parts, named after them (``train.h5``, ``test.h5``).
        class_means: one file per class, or a list of them.
        bins: outcome bins.
        shared: the shared encoder.
        out: CSV, see ``map_points``.
        superclasses: see ``map_points``.
        members: maximum number of training members.
        job: seed of t-SNE.
    """
    parts = {}
    for path in latents:
        points, part = load_points(path, class_means, bins, shared), part_of(path)
        if part == "train":
            first = first_members(points.snapshots, members)
            points = Points(points.pairs[first], points.weights[first], points.snapshots[first].reset_index(drop=True))
        parts[part] = points
    write_csv(out, map_points(parts, superclasses, job.seed))
