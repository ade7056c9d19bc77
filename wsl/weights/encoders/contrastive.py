"""The encoder `contrastive`: a transformer over tokens of weights, one latent per network (eq. 2.8)."""

from typing import Annotated, ClassVar

from pydantic import Field

from wsl.errors import ConfigError
from wsl.settings.sections import RUN_NAME, PositiveInt
from wsl.weights.encoders.base import WEIGHT_ENCODERS, TrainedEncoder
from wsl.zoo.recognition import architecture_of


class TokenSettings(TrainedEncoder):
    """A transformer over tokens: pieces of the weights of single channels."""

    pooled: ClassVar[bool]  # whether a network has one latent, or each of its tokens
    latent: PositiveInt
    size: PositiveInt = Field(289, description="numbers per token; a channel is cut into as many tokens as hold it")
    windows: PositiveInt = Field(4, description="windows of a network that a training step reads")
    beta: Annotated[float, Field(ge=0, le=1)] = Field(
        0.9, description="weight of the reconstruction; the contrastive term gets the rest (eq. 2.8)"
    )
    permute: bool = Field(
        False, description="also permute channels at random between the two views of the contrastive term"
    )
    runs: list[Annotated[str, Field(pattern=RUN_NAME)]] = Field(
        [], description="names of finished runs, of any width, whose training members are used too"
    )

    @property
    def other_runs(self) -> list[str]:
        return self.runs

    def latent_size(self, layout):
        """Return the size of a latent of the transformer."""
        return self.latent

    def check(self, layout):
        architecture = architecture_of(layout)
        if self.permute and architecture.whole is not architecture:
            raise ConfigError(
                "weights.encoder.permute: adapters have no permutation symmetry, since the frozen network fixes the "
                "order of channels; set it to false"
            )

    def prepare(self, data):
        from wsl.weights.encoders._token_training import prepare

        return prepare(data, self)

    @classmethod
    def load(cls, about, linear):
        from wsl.weights.encoders._token_encoder import TokenEncoder

        return TokenEncoder(**about)


@WEIGHT_ENCODERS.register("contrastive")
class Contrastive(TokenSettings):
    """A transformer over tokens of weights, with one latent per network (eq. 2.8)."""

    label = "contrastive"
    colours = {"uniform": "#CC79A7"}  # noqa: RUF012
    pooled = True
    latent: PositiveInt = Field(64, description="size of the weight latent z_W")
