"""Members whose weights are nearest to a pair (D, R) in the shared space."""

from pathlib import Path

import numpy as np
import pandas as pd

from wsl.outcomes.bins import read_bins
from wsl.shared.predictor import load_predictor
from wsl.weights.codec import nearest_members, read_latents


def nearest_to_pair(
    shared: str | Path, bins: str | Path, latents: str | Path, dataset: np.ndarray, loss: float, count: int
) -> pd.DataFrame:
    """Return the members of a part whose weight latents have the highest cosines with the projection of (D, R).

    Args:
        shared: the shared encoder.
        bins: outcome bins.
        latents: of the part.
        dataset: z_D (classes * dimension,).
        loss: the outcome R, a validation loss in nats.
        count: number of members.

    Returns:
        See ``wsl.weights.codec.nearest_members``. ``task`` has the classes in the order of the dataset's.
    """
    positions = read_bins(bins).position(np.array([loss]))
    projection = load_predictor(shared).predict(np.float32(dataset)[None], positions)[0]
    codes, snapshots = read_latents(latents)
    return nearest_members(codes, projection, snapshots, count)
