"""The thesis' sampling: the projection of (D, R), decoded (section 3.3, figure 3.2)."""

import numpy as np
import torch
from torch.nn import functional

from wsl.outcomes.bins import OutcomeBins
from wsl.sampling.regression import RegressionSampler
from wsl.shared.predictor import ConditionalPredictor


class ProjectionSampler(RegressionSampler):
    """z_proj of the shared encoder.

    Args:
        shared: projects (z_D, outcome).
        bins: of outcomes.
        norm: ``training`` scales z_proj to the mean norm of the training latents, ``raw`` leaves it. NT-Xent fixes
            a direction alone, so the length that a projection happens to have means nothing.
    """

    def __init__(self, shared: ConditionalPredictor, bins: OutcomeBins, norm: str):
        super().__init__(shared, bins)
        self.norm = norm

    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return z_proj (n, latent), see ``Sampler.codes``."""
        projections = super().codes(datasets, losses, seed)
        if self.norm == "raw":
            return projections
        return (functional.normalize(torch.from_numpy(projections), dim=1) * self.network.code_norm).numpy()
