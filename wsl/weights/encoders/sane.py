"""The encoder `sane`: a transformer over tokens of weights, one latent per token (Schürholt et al. 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from wsl.sections import PositiveInt
from wsl.weights.encoders.base import WEIGHT_ENCODERS
from wsl.weights.encoders.contrastive import TokenSettings
from wsl.weights.encoders.tokens import latent_a_token

if TYPE_CHECKING:
    from wsl.zoo.layout import Layout


@WEIGHT_ENCODERS.register("sane")
class Sane(TokenSettings):
    """A transformer over tokens of weights, with one latent per token (Schürholt et al. 2024)."""

    label = "SANE"
    colours = {"uniform": "black"}  # noqa: RUF012
    pooled = False
    latent: PositiveInt = Field(64, description="maximum size of the weight latent z_W, shared equally by the tokens")

    def latent_size(self, layout: Layout) -> int:
        """Return the size of a token's latent."""
        return latent_a_token(layout, self.size, self.latent)

    def check(self, layout: Layout) -> None:
        """Refuse a latent with fewer numbers than a network has tokens."""
        self.latent_size(layout)
