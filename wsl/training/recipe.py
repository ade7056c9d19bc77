"""How encoders are fitted: settings that many sections of the config share."""

from typing import Annotated, Literal

from pydantic import Field

from wsl.settings.sections import NonNegativeFloat, PositiveFloat, PositiveInt, Section, Whole

Schedule = Literal["constant", "cosine", "one-cycle"]
Keep = Literal["best", "last"]
KEEP = "state that is used: the one of lowest validation loss, or the last"
Normalisation = Literal["per-coefficient", "per-parameter", "global"]
NORMALISATION = "how coefficients are scaled: individually, per named parameter, or globally"
ImageCounts = list[Annotated[Whole, Field(ge=0)]]
IMAGE_COUNTS = (
    "numbers of images per class, one of which is drawn for each row of a batch; 0: the class's name; empty: all "
    "training images"
)


class Recipe(Section):
    """Optimisation by AdamW."""

    learning_rate: PositiveFloat = Field(1e-3, description="learning rate")
    weight_decay: NonNegativeFloat = Field(0.0, description="decoupled weight decay")
    batch_size: Annotated[Whole, Field(ge=2)] = Field(32, description="snapshots per batch")
    max_gradient_norm: PositiveFloat | None = Field(
        None, description="largest norm of a step's gradient; a longer one is scaled to it; empty: any"
    )
    epochs: PositiveInt = Field(200, description="maximum number of epochs")
    patience: PositiveInt | None = Field(
        None, description="stop after this many epochs without a lower validation loss; empty: never"
    )
    schedule: Schedule = Field("constant", description="learning rate over the epochs, or over the steps of one cycle")
    keep: Keep = Field("best", description=KEEP)


class Fitting(Recipe):
    """How an encoder is built and trained."""

    hidden: list[PositiveInt] = Field([], description="sizes of the hidden layers; empty: a linear map (the thesis)")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="dropout after each hidden layer")
