"""The encoder `sane`: a transformer over tokens of weights, one latent per token (Schürholt et al. 2024)."""

from pydantic import Field

from wsl.settings.sections import PositiveInt
from wsl.weights.encoders._token_settings import WindowSettings
from wsl.weights.encoders.base import WEIGHT_ENCODERS
from wsl.weights.encoders.tokens import latent_a_token


@WEIGHT_ENCODERS.register("sane")
class Sane(WindowSettings):
    """A transformer over windows of tokens, with one latent per token (Schürholt et al. 2024)."""

    label = "SANE"
    colours = {"uniform": "black"}  # noqa: RUF012
    pooled, per_token = False, True
    latent: PositiveInt = Field(64, description="maximum size of the weight latent z_W, shared equally by the tokens")

    def latent_size(self, layout, size):
        return latent_a_token(layout, size, self.latent, self.norms)

    def check(self, layout):
        super().check(layout)
        self.latent_size(layout, self.size)
