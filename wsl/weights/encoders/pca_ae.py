"""The encoder `pca-ae`: PCA of every named parameter, then an autoencoder of all coefficients (the thesis)."""

from itertools import pairwise

from pydantic import Field

from wsl.settings.sections import PositiveInt
from wsl.training.recipe import NORMALISATION, Fitting, Normalisation
from wsl.weights.encoders.base import WEIGHT_ENCODERS, TrainedEncoder


@WEIGHT_ENCODERS.register("pca-ae")
class PcaAutoencoder(TrainedEncoder, Fitting):
    """PCA, then an autoencoder of normalised coefficients (section 3.2.1, eq. 3.1)."""

    label = "PCA + autoencoder"
    colours = {"uniform": "#0072B2", "function": "#56B4E9", "variance": "#4D4D9F"}  # noqa: RUF012
    reads_coefficients = True
    latent: PositiveInt = Field(64, description="size of the weight latent z_W")
    normalise: Normalisation = Field("per-coefficient", description=NORMALISATION)

    def numbers(self, coefficients):
        sizes = [coefficients, *self.hidden, self.latent]
        return 2 * sum(into * out for into, out in pairwise(sizes))

    def prepare(self, data):
        from wsl.weights.encoders._autoencoder import prepare

        return prepare(data, self.normalise, self.latent, self.hidden, self.dropout, self.behaviour)

    @classmethod
    def load(cls, about, linear):
        from wsl.weights.encoders._autoencoder import PcaEncoder

        return PcaEncoder(linear, **about)
