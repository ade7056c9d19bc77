"""Conditional sampling."""

from typing import Literal

from pydantic import Field

from wsl.config.fields import NonNegativeFloat, Section


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
