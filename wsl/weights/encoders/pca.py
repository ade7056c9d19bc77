"""The encoder `pca`: PCA of every named parameter alone."""

from pydantic import Field

from wsl.training.recipe import NORMALISATION, Normalisation
from wsl.weights.encoders.base import WEIGHT_ENCODERS, WeightEncoder


@WEIGHT_ENCODERS.register("pca")
class Pca(WeightEncoder):
    """PCA alone: the latent is all coefficients, normalised."""

    label = "PCA"
    colours = {"uniform": "#E69F00", "variance": "#7F7F7F", "function": "#D55E00"}  # noqa: RUF012
    reads_coefficients = True
    normalise: Normalisation = Field("per-coefficient", description=NORMALISATION)

    @property
    def first_stage_share(self) -> float:
        return 0.0

    def prepare(self, data):
        from wsl.weights.encoders._autoencoder import prepare

        return prepare(data, self.normalise)

    @classmethod
    def load(cls, about, linear):
        from wsl.weights.encoders._autoencoder import PcaEncoder

        return PcaEncoder(linear, **about)
