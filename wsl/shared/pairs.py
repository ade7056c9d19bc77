"""Training data of samplers: (D, R) and the code of every snapshot of a part."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wsl.datasets.class_means import ClassMeans
from wsl.files.plain import Files
from wsl.outcomes.bins import read_bins
from wsl.weights.codec import read_latents
from wsl.weights.coefficients import read_coefficients


@dataclass(frozen=True)
class Pairs:
    """The snapshots of a part.

    Attributes:
        datasets: z_D (counts, n, dataset), one per count of images of the class means.
        turns: index of each row's count where nothing may be random (n,).
        positions: of outcomes on the axis of bins (n,), see ``OutcomeBins.position``.
        codes: z_W or C_m (n, code).
        snapshots: table, n rows.
    """

    datasets: torch.Tensor
    turns: torch.Tensor
    positions: torch.Tensor
    codes: torch.Tensor
    snapshots: pd.DataFrame

    def __len__(self) -> int:
        return len(self.codes)

    def to(self, device: str) -> "Pairs":
        tensors = {name: value.to(device) for name, value in vars(self).items() if name != "snapshots"}
        return replace(self, **tensors)

    def batch(self, indices: torch.Tensor, random: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return z_D (b, dataset), positions (b,) and codes (b, code) of rows (b,).

        If ``random``, a count of images is drawn for each row; otherwise each row has a fixed count.
        """
        turns = self.turns[indices]
        if random and len(self.datasets) > 1:
            turns = torch.randint(len(self.datasets), (len(indices),)).to(turns.device)
        return self.datasets[turns, indices], self.positions[indices], self.codes[indices]


def first_members(snapshots: pd.DataFrame, count: int) -> np.ndarray:
    """Return which rows (n,) of a table of snapshots belong to the first ``count`` members."""
    return snapshots["member"].isin(np.unique(snapshots["member"])[:count]).to_numpy()


def read_codes(path: str | Path, space: str) -> tuple[np.ndarray, pd.DataFrame]:
    """Read the codes (n, code) of a part and the table of its snapshots; ``space``: ``latent`` or ``coefficients``."""
    return read_latents(path) if space == "latent" else read_coefficients(path)


def load_pairs(
    codes: str | Path, class_means: Files, bins: str | Path, space: str = "latent", image_counts: Sequence[int] = ()
) -> Pairs:
    """Load the pairs of a part.

    Args:
        codes: latents or coefficients of the part, see ``space``.
        class_means: one file per class, or a list of them.
        bins: outcome bins.
        space: see ``read_codes``.
        image_counts: numbers of images per class for the class means, see ``ClassMeans``; empty: all images.
    """
    values, snapshots = read_codes(codes, space)
    # Snapshots share tasks: each task is embedded once.
    rows, tasks = pd.factorize(snapshots["task"])
    datasets = np.stack([ClassMeans(class_means, count).embed(tasks)[rows] for count in image_counts or (None,)])
    turns = torch.randint(len(datasets), (len(values),), generator=torch.Generator().manual_seed(0))
    positions = read_bins(bins).position(snapshots["validation_loss"].to_numpy())
    return Pairs(torch.from_numpy(datasets), turns, torch.from_numpy(positions), torch.from_numpy(values), snapshots)
