"""The module behind `nearest`."""

import torch

from wsl.weights.fitted import FittedEncoder
from wsl.zoo.layout import Layout


class NearestSnapshot(FittedEncoder):
    """Weights <-> the row of the nearest of ``count`` known snapshots; each named parameter has one unit."""

    latent = 1

    def __init__(self, layout: Layout, count: int):
        super().__init__()
        self.about = {"count": count}
        self.register_buffer("known", torch.zeros(count, layout.size))
        self.register_buffer("scale", torch.ones(layout.size))

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        return torch.cdist(weights / self.scale, self.known / self.scale).argmin(1, keepdim=True).float()

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.known[latents[:, 0].round().long().clamp(0, len(self.known) - 1)]


def deviations(known: torch.Tensor, layout: Layout) -> torch.Tensor:
    """Return the unit of each number (n_weights,): the deviation of its named parameter over snapshots (n, n_weights).

    It is measured around the mean of each number; 1 where a parameter does not vary.
    """
    units = torch.ones(layout.size)
    for entry in layout.entries:
        values = known[:, entry.columns]
        units[entry.columns] = float((values - values.mean(0)).square().mean().sqrt()) or 1.0
    return units
