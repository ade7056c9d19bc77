"""Points of the shared space: weight latents of snapshots, and projections of their (D, R) pairs."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from wsl.files.plain import Files
from wsl.shared.pairs import load_pairs
from wsl.shared.predictor import load_predictor


class Points(NamedTuple):
    """The n snapshots of a part in the shared space."""

    pairs: np.ndarray  # z_proj (n, latent)
    weights: np.ndarray  # z_W (n, latent)
    snapshots: pd.DataFrame  # their table


@torch.no_grad()
def load_points(latents: str | Path, class_means: Files, bins: str | Path, shared: str | Path) -> Points:
    """Embed every snapshot of a part in the class order of its task.

    Args:
        latents: of the part.
        class_means: one file per class, or a list of them.
        bins: outcome bins.
        shared: the shared encoder.
    """
    part, encoder = load_pairs(latents, class_means, bins), load_predictor(shared)
    rows = np.flatnonzero(part.snapshots["order"] == 0)
    pairs = encoder(*part.batch(torch.from_numpy(rows), random=False)[:2])
    return Points(pairs.numpy(), part.codes[rows].numpy(), part.snapshots.iloc[rows].reset_index(drop=True))


def unit_rows(values: np.ndarray) -> np.ndarray:
    """Return rows (n, dimension) normalised to length 1, float64."""
    values = np.asarray(values, dtype=np.float64)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
