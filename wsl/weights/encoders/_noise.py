"""The module behind `noise`."""

import zlib

import torch

from wsl.randomness import integer_seed
from wsl.weights.fitted import FittedEncoder
from wsl.zoo.layout import Layout


class NoisyWeights(FittedEncoder):
    """W -> W with noise -> the same.

    Args:
        layout: of the weights.
        strength: deviation of the noise, relative to the root mean square of each named parameter of a network.
        seed: of the noise; networks with other weights get other noise.
    """

    def __init__(self, layout: Layout, strength: float, seed: int):
        super().__init__()
        self.about = {"strength": strength, "seed": seed}
        self.entries, self.latent = [entry for entry in layout.entries if not entry.running], layout.size

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        return torch.stack([self._noisy(row.cpu()) for row in weights]).to(weights.device)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return latents

    def _noisy(self, weights: torch.Tensor) -> torch.Tensor:
        seed = integer_seed(self.about["seed"], "noise", zlib.crc32(weights.numpy().tobytes()))
        noise, noisy = torch.randn(len(weights), generator=torch.Generator().manual_seed(seed)), weights.clone()
        for entry in self.entries:
            size = weights[entry.columns].square().mean().sqrt()
            noisy[entry.columns] += self.about["strength"] * size * noise[entry.columns]
        return noisy
