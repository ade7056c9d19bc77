"""The encoder `contrastive`: a transformer over tokens of weights, one latent per network, their mean (eq. 2.8)."""

from pydantic import Field

from wsl.settings.sections import PositiveInt
from wsl.weights.encoders._token_settings import WindowSettings
from wsl.weights.encoders.base import WEIGHT_ENCODERS


@WEIGHT_ENCODERS.register("contrastive")
class Contrastive(WindowSettings):
    """A transformer over windows of tokens, with one latent per network: the mean over its tokens (eq. 2.8)."""

    label = "contrastive"
    colours = {"uniform": "#CC79A7"}  # noqa: RUF012
    pooled = True
    latent: PositiveInt = Field(64, description="size of the weight latent z_W")
