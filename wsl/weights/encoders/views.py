"""Augmented views of weights: permuted channels, noise, random erasing (section 2.5)."""

from dataclasses import dataclass

import numpy as np
import torch

from wsl.weights.symmetry import permutation_index, random_permutations
from wsl.zoo.layout import Layout


@dataclass(frozen=True)
class Views:
    """How a view of weights differs from them.

    Attributes:
        permute: reorder the channels of every group at random, which changes no output.
        noise: deviation of what is added to standardised numbers.
        erase: share of standardised numbers that are set to 0, their mean.
    """

    permute: bool
    noise: float
    erase: float

    def permuted(self, weights: torch.Tensor, layout: Layout, rng: np.random.Generator) -> torch.Tensor:
        """Return flat weights (n, n_weights), each network's channels in an order of its own where asked for."""
        if not self.permute:
            return weights
        places = [permutation_index(layout, random_permutations(layout, rng)) for _ in weights]
        return weights.gather(1, torch.from_numpy(np.stack(places)).to(weights.device))

    def spoiled(self, tokens: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """Return standardised tokens with noise, some of them erased."""
        generator = torch.Generator(tokens.device).manual_seed(int(rng.integers(2**63)))
        noisy = tokens + self.noise * torch.randn(tokens.shape, generator=generator, device=tokens.device)
        return noisy * (torch.rand(tokens.shape, generator=generator, device=tokens.device) >= self.erase)
