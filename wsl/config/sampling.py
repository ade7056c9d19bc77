"""Conditional sampling."""

from typing import Literal

from pydantic import Field

from wsl.config.fields import NonNegativeFloat, PositiveFloat, PositiveInt, Section


class Refinement(Section):
    """A few steps of a sampled model on its task's training images, of its code or of all its weights."""

    steps: PositiveInt = Field(10, description="gradient steps (Adam)")
    batch_size: PositiveInt = Field(64, description="images a step")
    learning_rate: PositiveFloat = Field(0.05, description="of the code, in its training deviations")
    fine_tuning_rate: PositiveFloat = Field(1e-3, description="of all weights, in the comparison of equal compute")


class Sampling(Section):
    """Conditional sampling (figure 3.2)."""

    outcome: Literal["best"] | NonNegativeFloat = Field(
        "best", description="requested validation loss; `best`: the lowest bin that a training snapshot reached"
    )
    norm: Literal["training", "raw"] = Field(
        "training",
        description="NT-Xent fixes only z_proj's direction: `training` scales it to the mean norm of training latents, "
        "`raw` decodes it as it is",
    )
