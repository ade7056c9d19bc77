"""How encoders are fitted; the encoders of outcomes and the shared one."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wsl.config.fields import NonNegativeFloat, PositiveFloat, PositiveInt, Section, Whole

Schedule = Literal["constant", "cosine"]
Keep = Literal["best", "last"]
KEEP = "which state is used: the one of lowest validation loss, or the last"
Normalisation = Literal["per-coefficient", "per-parameter", "global"]
NORMALISATION = (
    "what coefficients are measured in: each in its own training deviation, all of a named parameter in one, so that "
    "those that vary little count for little, or all in one"
)


class Fitting(Section):
    """How an encoder is trained (AdamW)."""

    hidden: list[PositiveInt] = Field([], description="sizes of the hidden layers; none is the thesis' autoencoder")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="dropout after each hidden layer")
    learning_rate: PositiveFloat = Field(1e-3, description="learning rate")
    weight_decay: NonNegativeFloat = Field(0.0, description="decoupled weight decay")
    batch_size: Annotated[Whole, Field(ge=2)] = Field(32, description="snapshots a batch")
    epochs: PositiveInt = Field(200, description="most epochs")
    patience: PositiveInt | None = Field(
        None, description="stop after so many epochs without a lower validation loss; empty: never"
    )
    schedule: Schedule = Field("constant", description="learning rate over the epochs")
    keep: Keep = Field("best", description=KEEP)


class Outcomes(Section):
    """The results encoder (section 3.2.3)."""

    bins: PositiveInt = Field(10, description="number of outcome bins")
    spacing: Literal["equal-width", "quantiles"] = Field("equal-width", description="how the bins' edges are set")
    interpolate: bool = Field(
        False,
        description="mix the embeddings of the two nearest bins, so that R is continuous; otherwise a loss is its bin "
        "(the thesis)",
    )


class Losses(Section):
    """Weights of the losses between projections and codes of weights, 0 for none."""

    nt_xent: NonNegativeFloat = Field(1.0, description="NT-Xent (eq. 2.7): a direction that tells models apart")
    mse: NonNegativeFloat = Field(0.0, description="mean squared error over codes standardised by training statistics")
    cosine: NonNegativeFloat = Field(0.0, description="1 - cosine similarity: the direction")
    norm: NonNegativeFloat = Field(0.0, description="squared difference of the logarithms of norms: the length")

    @model_validator(mode="after")
    def _some_loss(self) -> Self:
        if not any(weight for _, weight in self):
            raise ValueError("every weight is 0; give one of the losses a weight")
        return self


class Shared(Fitting):
    """The shared encoder (section 3.3)."""

    hidden: list[PositiveInt] = Field([512], description="sizes of the hidden layers")
    outcome_embedding: PositiveInt = Field(512, description="numbers in an outcome bin's learned embedding")
    temperature: PositiveFloat = Field(0.5, description="tau of NT-Xent (eq. 2.7)")
    symmetric: bool = Field(True, description="average over both anchors of a pair, or over projections alone")
    standardise: bool = Field(True, description="standardise dataset embeddings by their training statistics")
    losses: Losses = Losses()
