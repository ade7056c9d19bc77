"""What every sampler is: a map from datasets and requested outcomes to codes of weights."""

from typing import Protocol

import numpy as np

from wsl.weights.codec import WeightCodec


class Sampler(Protocol):
    """A conditional sampler P(W | D, R).

    Attributes:
        space: what its codes are: ``latent`` (z_W) or ``coefficients`` (C_m).
    """

    space: str

    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int) -> np.ndarray:
        """Return codes (n, code) of models.

        Args:
            datasets: z_D (n, classes * dimension), a row a model.
            losses: requested validation losses (n,), nats.
            seed: of what is random; samplers that know one answer alone give it for every seed.
        """


def sample_weights(
    sampler: Sampler, codec: WeightCodec, datasets: np.ndarray, losses: np.ndarray, seed: int
) -> np.ndarray:
    """Return flat weights (n, n_weights), see ``Sampler.codes``."""
    codes = sampler.codes(datasets, losses, seed)
    return codec.decode(codes) if sampler.space == "latent" else codec.linear.decode(codes)
