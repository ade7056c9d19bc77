"""The module behind `nearest`."""

import torch

from wsl.training.fitting import Standardiser
from wsl.weights.fitted import FittedEncoder
from wsl.zoo.layout import Layout


class NearestSnapshot(FittedEncoder):
    """Weights <-> the row of the nearest of ``count`` known snapshots; each named parameter has one unit."""

    latent = 1

    def __init__(self, layout: Layout, count: int):
        super().__init__()
        self.about = {"count": count}
        self.register_buffer("known", torch.zeros(count, layout.size))
        self.units = Standardiser(layout.size)

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        return torch.cdist(self.units(weights), self.units(self.known)).argmin(1, keepdim=True).float()

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.known[latents[:, 0].round().long().clamp(0, len(self.known) - 1)]
