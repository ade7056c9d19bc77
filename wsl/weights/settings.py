"""Weight encoders."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wsl.recipe import NORMALISATION, Fitting, Normalisation
from wsl.sections import RUN_NAME, NonNegativeFloat, PositiveFloat, PositiveInt, Section, Whole

EncoderKind = Literal["pca-ae", "pca", "ae-pca", "contrastive", "sane"]


class Behaviour(Section):
    """The behaviour loss: a decoded model should answer as its original does (Meynert et al. 2025)."""

    weight: NonNegativeFloat = Field(
        0.0,
        description="of the divergence of answers, nats, beside the loss over weights, averaged over numbers",
    )
    queries: PositiveInt = Field(8, description="training images a class that a model answers, drawn anew each time")


class Sensitivity(Section):
    """How the effect of a component on outputs is measured: on training members and training images."""

    members: PositiveInt = Field(12, description="fully trained members that are asked")
    images: PositiveInt = Field(64, description="training images of each one's task")
    probes: PositiveInt = Field(24, description="random combinations of its outputs, a backward pass each")


class Views(Section):
    """Two views of every network, for the contrastive term of eq. 2.8."""

    permute: bool = Field(False, description="reorder channels at random, which changes no output")
    noise: NonNegativeFloat = Field(0.05, description="deviation of what is added to standardised numbers")
    erase: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="share of numbers that are set to their mean")


class Tokens(Section):
    """The encoders of tokens, `contrastive` and `sane`: a transformer that reads networks channel by channel."""

    size: PositiveInt = Field(289, description="numbers in a token; a channel is cut into as many as hold it")
    width: PositiveInt = Field(64, description="numbers in a token inside the transformer")
    depth: PositiveInt = Field(2, description="blocks, each way")
    heads: PositiveInt = Field(4, description="attention heads")
    window: PositiveInt = Field(128, description="tokens that are read at once")
    halo: Annotated[Whole, Field(ge=0)] = Field(16, description="tokens on either side of a window that are seen too")
    windows: PositiveInt = Field(4, description="windows of a network that a step of the training looks at")
    centre: Literal["weight", "parameter"] = Field(
        "weight",
        description="what a weight is measured from: its own mean over members, or that of its named parameter",
    )
    beta: Annotated[float, Field(ge=0, le=1)] = Field(
        0.9, description="weight of the reconstruction; the rest is the contrastive term's (eq. 2.8)"
    )
    temperature: PositiveFloat = Field(0.1, description="tau of that term")
    views: Views = Views()
    runs: list[Annotated[str, Field(pattern=RUN_NAME)]] = Field(
        [], description="runs, made before, of any width, whose training members are learnt from too"
    )

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of {self.heads} heads")
        return self


class Autoencoder(Fitting):
    """How weight encoders are trained, and the autoencoder of `pca-ae` (eq. 3.1)."""

    latent: PositiveInt = Field(
        64,
        description="numbers in the weight latent z_W; `sane`: at most, shared evenly by its tokens; `pca`, `ae-pca`: "
        "as many as there are components",
    )
    behaviour: Behaviour = Behaviour()
    checkpoints: Annotated[Whole, Field(ge=2)] = Field(
        12, description="states kept over the training, spread geometrically, for figure 4.1b"
    )


class Weights(Section):
    """Compression of weights (section 3.2.1, Algorithm 3.1)."""

    encoder: EncoderKind = Field(
        "pca-ae",
        description="`pca-ae`: each parameter's PCA, then an autoencoder (the thesis); `pca`: PCA alone; `ae-pca`: an "
        "autoencoder of each parameter's channels, then PCA; `contrastive`: a transformer over tokens, one latent a "
        "network (eq. 2.8); `sane`: a latent a token (Schürholt et al. 2024). Samplers of coefficients keep to PCA",
    )
    align: bool = Field(
        False,
        description="permute the channels of every member onto the first training member's before anything reads its "
        "weights, which changes no output (Ainsworth et al. 2023); takes as much disk as the zoo",
    )
    variance_threshold: NonNegativeFloat = Field(
        1e-10, description="VARIANCE_THRESHOLD: below this mean variance only a parameter's mean is kept"
    )
    dimension_limit: PositiveInt = Field(4, description="DIMENSION_LIMIT: up to so many numbers are only centred")
    components: PositiveInt = Field(32, description="most principal components a named parameter")
    explained_variance: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="keep no more components than explain this share of the variance"
    )
    budget: PositiveInt | None = Field(
        None,
        description="coefficients a model, spent on those of all parameters' components that `gate` finds worth most; "
        "empty: every parameter keeps all that it has (the thesis)",
    )
    gate: Literal["variance", "function"] = Field(
        "function", description="worth of a component under a budget: its variance, or its effect on members' outputs"
    )
    sensitivity: Sensitivity = Sensitivity()
    solver: Literal["gram", "incremental", "full", "randomized"] = Field(
        "gram", description="`gram` is exact and streams; `incremental` is the thesis'; both others are scikit-learn's"
    )
    normalise: Normalisation = Field("per-coefficient", description=f"for the autoencoder: {NORMALISATION}")
    orders: PositiveInt = Field(
        1,
        description="class orders in which every training snapshot is seen, classes and head reordered together; 1: "
        "its own alone (the thesis); 6 are all that three classes have",
    )
    autoencoder: Autoencoder = Autoencoder()
    share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5,
        description="of each parameter's compression to `components`, how much the first stage does, on the scale of "
        "logarithms; 0: PCA does all (`ae-pca`)",
    )
    tokens: Tokens = Tokens()

    @model_validator(mode="after")
    def _behaviour_is_learnt(self) -> Self:
        if self.encoder == "pca" and self.autoencoder.behaviour.weight:
            raise ValueError("autoencoder.behaviour: nothing of the encoder `pca` is trained; choose another encoder")
        return self

    @model_validator(mode="after")
    def _first_stage_bends(self) -> Self:
        if self.encoder == "ae-pca" and self.share and not self.autoencoder.hidden:
            raise ValueError("autoencoder.hidden: with none, both stages of `ae-pca` are linear; give it a layer")
        return self
