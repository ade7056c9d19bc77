"""Sampling by a network that predicts codes from (D, R)."""

import numpy as np
import torch

from wsl.outcomes.bins import OutcomeBins
from wsl.shared.encoder import SharedEncoder


class RegressionSampler:
    """The prediction, as it is: one answer for each condition.

    Args:
        network: projects (z_D, outcome) into the space of its codes.
        bins: of outcomes.
    """

    def __init__(self, network: SharedEncoder, bins: OutcomeBins):
        self.network, self.bins = network, bins
        self.space = network.shape["space"]

    @torch.no_grad()
    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return z_proj (n, code), see ``Sampler.codes``."""
        return self.network(torch.from_numpy(datasets), torch.from_numpy(self.bins.position(losses))).numpy()
