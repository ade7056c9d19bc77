"""Conditional sampling and its evaluation."""

from typing import Literal

from pydantic import Field

from wsl.config.fields import NonNegativeFloat, PositiveInt, Section


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


class Evaluation(Section):
    """Evaluation (chapter 4)."""

    synthetic_images: PositiveInt = Field(256, description="Gaussian noise images for figure 4.1b")
    training_images: PositiveInt = Field(300, description="most training images a class for Table 4.1")
    heatmap_members: PositiveInt = Field(5, description="members in the heat map of figure 4.3")
