"""The second stage of compression: an autoencoder of normalised coefficients (section 3.2.1, eq. 3.1)."""

from collections.abc import Sequence

import torch
from torch import nn

from wsl.fitting import Standardiser, mlp


class WeightAutoencoder(nn.Module):
    """C_m -> z_W -> C_m.

    Normalisation by training statistics is part of the module, so both ends are raw coefficients.

    Args:
        coefficients: numbers in C_m.
        latent: numbers in z_W; None: as many as coefficients, which are normalised and no more.
        hidden: sizes of the encoder's hidden layers, mirrored in the decoder; none makes both linear (the thesis).
        dropout: after each hidden layer.
    """

    def __init__(self, coefficients: int, latent: int | None, hidden: Sequence[int] = (), dropout: float = 0.0):
        super().__init__()
        both = latent is not None
        self.encoder = mlp([coefficients, *hidden, latent], dropout) if both else nn.Identity()
        self.decoder = mlp([latent, *reversed(hidden), coefficients], dropout) if both else nn.Identity()
        self.normalised = Standardiser(coefficients)

    def encode(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Return z_W (n, latent) of C (n, coefficients)."""
        return self.encoder(self.normalised(coefficients))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return C (n, coefficients) of z_W (n, latent)."""
        return self.normalised.inverse(self.decoder(latents))

    def loss(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Return eq. 3.1 over normalised coefficients: squared norm of the error, averaged over models."""
        normalised = self.normalised(coefficients)
        return (self.decoder(self.encoder(normalised)) - normalised).pow(2).sum(1).mean()
