"""The encoder `ae-pca`: a non-linear first stage, then PCA (section 5.1)."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from wsl.settings.sections import PositiveInt
from wsl.training.recipe import Fitting
from wsl.weights.encoders.base import WEIGHT_ENCODERS, TrainedEncoder


@WEIGHT_ENCODERS.register("ae-pca")
class AutoencoderPca(TrainedEncoder, Fitting):
    """An autoencoder of each parameter's channels, then PCA of the parameter's codes (section 5.1)."""

    label = "autoencoder + PCA"
    colours = {"uniform": "#009E73"}  # noqa: RUF012
    components: PositiveInt = Field(32, description="maximum number of numbers in z_W per named parameter")
    share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="fraction of the log compression ratio done by the first stage; 0: PCA does all"
    )

    @model_validator(mode="after")
    def _first_stage_is_non_linear(self) -> Self:
        if self.share and not self.hidden:
            raise ValueError("hidden: without a hidden layer both stages of `ae-pca` are linear; give it one")
        return self

    @property
    def first_stage_share(self) -> float:
        return self.share

    def prepare(self, data):
        from wsl.weights.encoders._channels import prepare

        return prepare(data, self)

    @classmethod
    def load(cls, about, linear):
        from wsl.weights.encoders._channels import ChannelEncoder

        return ChannelEncoder(linear.layout, **about)
