"""A weight encoder in one file outside the package: random directions of PCA coefficients, with a trained scale."""

import torch
from pydantic import Field
from torch import nn

from wsl.settings.sections import PositiveInt
from wsl.weights.encoders.base import WEIGHT_ENCODERS, TrainedEncoder
from wsl.weights.fitted import CoefficientEncoder
from wsl.weights.training import Training


@WEIGHT_ENCODERS.register("rotation")
class Rotation(TrainedEncoder):
    """Coefficients projected on random orthonormal directions."""

    label = "random directions"
    colours = {"uniform": "#8C564B"}  # noqa: RUF012
    reads_coefficients = True
    latent: PositiveInt = Field(8, description="size of the weight latent z_W")

    def numbers(self, coefficients):
        return coefficients * (self.latent + 1)

    def prepare(self, data):
        encoder = RotationEncoder(data.linear, self.latent).to(data.job.device)
        behaviour_loss = data.behaviour(self.behaviour)

        def loss(part, rows):
            values = data.coefficients[part][rows.to(data.job.device)]
            latents = encoder.encode_coefficients(values)
            total = (encoder.decode_coefficients(latents) - values).square().mean()
            if behaviour_loss:
                total = total + behaviour_loss(data.parts[part], rows.tolist(), encoder.decode(latents))
            return total

        return Training(encoder, loss, {part: len(values) for part, values in data.coefficients.items()})

    @classmethod
    def load(cls, about, linear):
        return RotationEncoder(linear, **about)


class RotationEncoder(CoefficientEncoder):
    """z_W = C D, and C = s * (z_W D^T) with a trained scale s of each coefficient."""

    def __init__(self, linear, latent):
        super().__init__(linear)
        self.latent, self.about = latent, {"latent": latent}
        directions, _ = torch.linalg.qr(torch.randn(linear.n_coefficients, latent))
        self.register_buffer("directions", directions)
        self.scale = nn.Parameter(torch.ones(linear.n_coefficients))

    def encode_coefficients(self, coefficients):
        return coefficients @ self.directions

    def decode_coefficients(self, latents):
        return self.scale * (latents @ self.directions.T)
