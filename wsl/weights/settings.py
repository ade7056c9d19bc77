"""Settings of the compression of weights: PCA, budget of components, weight encoder."""

from typing import Annotated, Any, Literal

from pydantic import Field

from wsl.settings.sections import NonNegativeFloat, PositiveFloat, PositiveInt, Section, Whole, one_of
from wsl.weights.encoders.base import WEIGHT_ENCODERS
from wsl.weights.pca_settings import PcaSettings

DEFAULT = "pca-ae"
CHECKPOINTS = 12  # states of an encoder that are kept during its training, spread geometrically, for figure 4.1b


class EncoderFit(Section):
    """Settings of the fit of a weight encoder."""

    encoder: one_of(WEIGHT_ENCODERS, DEFAULT) = Field(
        WEIGHT_ENCODERS[DEFAULT](), description="encoder of a model's weights to the latent z_W, and its decoder"
    )
    orders: PositiveInt = Field(
        1,
        description="number of class orders in which every training snapshot is used, with classes and head reordered "
        "together; 1: its own order only (the thesis); three classes have 6",
    )


class Search(Section):
    """Encoding by outputs: gradient steps on a held-out member's latent to match the outputs of its decoded model."""

    steps: Annotated[Whole, Field(ge=0)] = Field(0, description="gradient steps (Adam); 0: no search")
    learning_rate: PositiveFloat = Field(0.02, description="learning rate, in training deviations of the latent")
    features: NonNegativeFloat = Field(
        10,
        description="weight of the outputs of residual blocks in the loss; 0, or an architecture without such blocks: "
        "class probabilities only",
    )


class Weights(PcaSettings, EncoderFit):
    """Compression of weights (section 3.2.1, Algorithm 3.1)."""

    align: bool = Field(
        False,
        description="permute the channels of every member to match the first training member before PCA, which changes "
        "no output (Ainsworth et al. 2023); needs as much disk as the zoo",
    )
    budget: PositiveInt | None = Field(
        None,
        description="total coefficients per model, given to the components that `gate` ranks highest; empty: all "
        "components are kept (the thesis)",
    )
    gate: Literal["variance", "function"] = Field(
        "function", description="ranking of components under a budget: by variance, or by effect on members' outputs"
    )

    def pca(self, **changes: Any) -> PcaSettings:
        """Return the settings of PCA alone, with some changed."""
        return PcaSettings(**{key: getattr(self, key) for key in PcaSettings.model_fields} | changes)

    def encoder_fit(self) -> EncoderFit:
        """Return the settings of the fit of the weight encoder alone."""
        return EncoderFit(encoder=self.encoder, orders=self.orders)
