"""Settings that all encoders of tokens share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from wsl.errors import ConfigError
from wsl.settings.sections import RUN_NAME, NonNegativeFloat, PositiveInt, Whole
from wsl.weights.encoders.base import TrainedEncoder
from wsl.weights.encoders.tokens import Norms
from wsl.zoo.recognition import architecture_of

if TYPE_CHECKING:
    from wsl.weights.fitted import FittedEncoder
    from wsl.zoo.layout import Layout

Centre = Literal["weight", "parameter"]
Noise = Literal["additive", "multiplicative"]
LossPer = Literal["number", "parameter", "relative"]


class TokenSettings(TrainedEncoder):
    """A transformer over tokens: pieces of the weights of single channels."""

    latent: PositiveInt
    size: PositiveInt = Field(
        289,
        description="maximum numbers per token; a channel is cut into as many tokens as hold it, and tokens are not "
        "larger than the largest channel",
    )
    norms: Norms = Field(
        "own",
        description="batch-normalisation values of a channel: in a token of their own (SANE), or `shared`, in the "
        "token of the channel's weights, which makes sequences shorter",
    )
    centre: Centre = Field(
        "weight",
        description="mean that is subtracted from weights: of each weight over training snapshots, or of the named "
        "parameter as a whole (SANE). Both divide by the parameter's deviation",
    )
    loss: LossPer = Field(
        "number",
        description="what counts equally in the reconstruction error: every number, or every named parameter, so that "
        "biases and batch normalisation weigh as much as large matrices; `relative`: every named parameter of every "
        "network, by its error relative to its own size, so that networks with small weights count as much as those "
        "with large ones",
    )
    beta: Annotated[float, Field(ge=0, le=1)] = Field(
        0.95,
        description="weight of the reconstruction; the contrastive term has the rest (eq. 2.8); 1: there is one view",
    )
    permute: bool = Field(
        False, description="permute the channels of the second view of the contrastive term at random"
    )
    noise: NonNegativeFloat = Field(
        0.1, description="standard deviation of noise on the standardised numbers that the encoder reads in training"
    )
    noise_kind: Noise = Field(
        "multiplicative", description="whether the noise is added, or multiplies each number by 1 + noise"
    )
    erase: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="fraction of the numbers that the encoder reads in training that are set to their mean"
    )
    width: PositiveInt = Field(64, description="width of the transformer; a multiple of `heads`")
    depth: PositiveInt = Field(2, description="blocks of the encoder, and of the decoder")
    heads: PositiveInt = Field(4, description="attention heads")

    def check(self, layout):
        if self.width % self.heads:
            raise ConfigError(
                f"weights.encoder.width: {self.width} is not a multiple of heads, {self.heads}; change one of them"
            )
        if self.permute and not architecture_of(layout).channel_groups(layout):
            raise ConfigError(
                f"weights.encoder.permute: the architecture {architecture_of(layout).name} has no permutation "
                "symmetry; set it to false"
            )

    def latent_size(self, layout: Layout, size: int) -> int:
        """Return the size of a latent of the transformer for tokens of ``size`` numbers."""
        return self.latent

    @abstractmethod
    def module(self, layouts: list[str], size: int, latent: int) -> FittedEncoder:
        """Return the untrained module for layouts as text, the run's first."""

    def prepare(self, data):
        from wsl.weights.encoders._token_training import prepare

        return prepare(data, self)


class WindowSettings(TokenSettings):
    """A transformer over windows of tokens, so that networks may have any size, and zoos several architectures."""

    mixed = True
    pooled: ClassVar[bool]  # whether a network has one latent, or each of its tokens
    window: PositiveInt = Field(160, description="tokens that the transformer reads at once")
    halo: Annotated[Whole, Field(ge=0)] = Field(
        16, description="tokens at either end of a window that encoding and decoding read as context only (SANE)"
    )
    windows: PositiveInt = Field(
        4, description="windows that a training step reads of each network, each at a random place (SANE)"
    )
    runs: list[Annotated[str, Field(pattern=RUN_NAME)]] = Field(
        [], description="names of finished runs, of any width, whose training members are used too"
    )

    @property
    def other_runs(self) -> list[str]:
        return self.runs

    def check(self, layout):
        super().check(layout)
        if 2 * self.halo >= self.window:
            raise ConfigError(
                f"weights.encoder.halo: {self.halo} tokens at either end leave none of a window of {self.window}; "
                "lower it, or raise weights.encoder.window"
            )

    def module(self, layouts, size, latent):
        shape = self.width, self.depth, self.heads
        about = {"layouts": layouts, "size": size, "latent": latent, "pooled": self.pooled, "norms": self.norms}
        return self.load({**about, "shape": shape, "windows": (self.window, self.halo)}, None)

    @classmethod
    def load(cls, about, linear):
        from wsl.weights.encoders._token_encoder import TokenEncoder

        return TokenEncoder(**about)
