"""Options of ``wsl sample``, except files and classes."""

from typing import Annotated

from pydantic import Field

from wsl.settings.sections import NonNegativeFloat, Section, Whole


class SampleOptions(Section):
    """Options of sampling, fine-tuning and evaluation."""

    loss: NonNegativeFloat | None = Field(
        None,
        description="Requested validation loss, in nats. The sampler `generator` reaches it only by rescaling its "
        "logits, which changes no prediction. [default: the run's]",
    )
    held_out: Annotated[float, Field(ge=0, le=0.9)] = Field(
        0.2, description="Fraction of each class's images that is set aside to estimate accuracies."
    )
    refine: Annotated[Whole, Field(ge=0)] = Field(
        0, description="Epochs of fine-tuning on the images that are not set aside; 0: none."
    )
    seed: Annotated[Whole, Field(ge=0)] | None = Field(None, description="Random seed. [default: the run's]")
