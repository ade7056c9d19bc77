"""The encoder `pca`: PCA of every named parameter and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from wsl.recipe import NORMALISATION, Normalisation
from wsl.weights.encoders.base import WEIGHT_ENCODERS, WeightEncoder

if TYPE_CHECKING:
    from wsl.weights.coefficients import LinearCodec
    from wsl.weights.fitted import FittedEncoder
    from wsl.weights.training import EncoderData, Training


@WEIGHT_ENCODERS.register("pca")
class Pca(WeightEncoder):
    """PCA alone: the latent is all coefficients, normalised."""

    label = "PCA"
    colours = {"uniform": "#E69F00", "variance": "#7F7F7F", "function": "#D55E00"}  # noqa: RUF012
    reads_coefficients = True
    normalise: Normalisation = Field("per-coefficient", description=NORMALISATION)

    @property
    def first_stage_share(self) -> float:
        """PCA does all of the compression."""
        return 0.0

    def prepare(self, data: EncoderData) -> Training:
        from wsl.weights.encoders._autoencoder import prepare

        return prepare(data, None, (), 0.0, self.normalise)

    @classmethod
    def load(cls, about: dict[str, Any], linear: LinearCodec) -> FittedEncoder:
        from wsl.weights.encoders._autoencoder import PcaEncoder

        return PcaEncoder(linear, **about)
