"""The points of the map: coordinates of snapshots, and their nearest neighbours in the shared space."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from wsl.evaluation.recall import NOTHING, compare_all, mean_ranks
from wsl.evaluation.shared_map import flatten_points
from wsl.evaluation.shared_space import load_points, unit_rows
from wsl.files.hdf5 import part_of
from wsl.files.plain import Files
from wsl.weights.codec import read_latents

NEAREST = 10  # neighbours of a point
MOST_SNAPSHOTS = 3000  # more points are slow to place and to draw


@dataclass(frozen=True)
class Space:
    """The snapshots of a run in the shared space, or their latents alone.

    Attributes:
        snapshots: one row per snapshot, with ``part``, ``member``, ``snapshot``, ``epoch`` and metrics.
        weights: z_W (n, latent).
        pairs: z_proj of their (D, R) (n, latent); None: the run has no shared encoder.
        left_out: number of snapshots whose points are not finite.
    """

    snapshots: pd.DataFrame
    weights: np.ndarray
    pairs: np.ndarray | None
    left_out: int = 0

    def rows(self, chosen: np.ndarray, left_out: int = 0) -> "Space":
        """Return the snapshots at which ``chosen`` (n,) is true."""
        pairs = None if self.pairs is None else self.pairs[chosen]
        return Space(self.snapshots[chosen].reset_index(drop=True), self.weights[chosen], pairs, left_out)


def load_space(latents: Files, class_means: Files | None, bins: str | None, shared: str | None) -> Space:
    """Load all snapshots whose points are finite, in the class order of their tasks.

    Args:
        latents: one file per part.
        class_means: one file per class, or a list of them.
        bins: outcome bins.
        shared: the shared encoder; None: only weights are loaded.
    """
    tables, weights, pairs = [], [], []
    for path in latents:
        if shared is None:
            values, table = read_latents(path)
            own = (table["order"] == 0).to_numpy()
            table, codes = table[own], values[own]
        else:
            points = load_points(path, class_means, bins, shared)
            table, codes = points.snapshots, points.weights
            pairs.append(points.pairs)
        tables.append(table.assign(part=part_of(path)))
        weights.append(codes)
    space = Space(
        pd.concat(tables, ignore_index=True), np.concatenate(weights), np.concatenate(pairs) if pairs else None
    )
    finite = np.isfinite(space.weights).all(axis=1)
    if space.pairs is not None:
        finite &= np.isfinite(space.pairs).all(axis=1)
    return space.rows(finite, int((~finite).sum()))


def first_of_each_part(space: Space, most: int = MOST_SNAPSHOTS) -> Space:
    """Return the first members of each part, the same fraction of all parts, with about ``most`` snapshots together."""
    fraction = min(1.0, most / max(len(space.snapshots), 1))
    chosen = np.zeros(len(space.snapshots), dtype=bool)
    for _, part in space.snapshots.groupby("part"):
        members = np.unique(part["member"])
        first = members[: max(1, int(fraction * len(members)))]
        chosen[part.index[part["member"].isin(first)]] = True
    return space.rows(chosen, space.left_out)


def place(space: Space, seed: int) -> dict[str, np.ndarray]:
    """Return t-SNE coordinates (n, 2) of ``weights`` and, if there are any, of ``pairs`` on the same map."""
    sides = {"weights": space.weights, "pairs": space.pairs}
    sides = {name: values for name, values in sides.items() if values is not None}
    values = np.concatenate(list(sides.values()))
    values = np.pad(values, ((0, 0), (0, max(0, 2 - values.shape[1]))))  # t-SNE starts from two components
    return dict(zip(sides, np.split(flatten_points(values, seed), len(sides)), strict=True))


def nearest(
    queries: np.ndarray, candidates: np.ndarray, allowed: np.ndarray, same: bool = False, count: int = NEAREST
) -> tuple[np.ndarray, np.ndarray]:
    """Find the candidates (m, dimension) that are most similar to each query (n, dimension) by cosine.

    Args:
        queries: points.
        candidates: points.
        allowed: which candidates may be found (m,).
        same: whether queries are the candidates; then none finds itself.
        count: number to find; fewer if there are fewer candidates.

    Returns:
        Rows of the candidates (n, k), the most similar first, and their cosines (n, k).
    """
    similarity = unit_rows(queries) @ unit_rows(candidates).T
    similarity[:, ~allowed] = NOTHING
    if same:
        np.fill_diagonal(similarity, NOTHING)
    k = max(min(count, int(allowed.sum()) - same), 0)
    rows = np.argpartition(-similarity, max(k - 1, 0), axis=1)[:, :k]
    cosines = np.take_along_axis(similarity, rows, axis=1)
    order = np.lexsort((rows, -cosines), axis=1)
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(cosines, order, axis=1)


def own_ranks(space: Space, trained: np.ndarray) -> pd.DataFrame:
    """Compare both points of each snapshot: ``cosine``, and the rank of one among the neighbours of the other.

    Args:
        space: with pairs.
        trained: which snapshots are candidates (n,); others have no rank.
    """
    cosine = (unit_rows(space.weights) * unit_rows(space.pairs)).sum(axis=1)
    table = pd.DataFrame({"cosine": cosine, "rank of its (D, R)": np.nan, "rank of its weights": np.nan})
    if trained.any():
        weights, pairs = space.weights[trained], space.pairs[trained]
        table.loc[trained, "rank of its (D, R)"] = mean_ranks(*compare_all(weights, pairs))
        table.loc[trained, "rank of its weights"] = mean_ranks(*compare_all(pairs, weights))
    return table
