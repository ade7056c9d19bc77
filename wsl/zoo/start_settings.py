"""Settings of the members' common start: its classes, its training, or its checkpoint."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from wsl.settings.sections import NonNegativeFloat, PositiveFloat, PositiveInt, Section, Sha256, Whole

TEACHER = "weight of a loss that pulls its features towards the CLIP features of the same images; 0: not used"

# A list of names, a number to draw, or a text file of names.
ClassChoice = Annotated[list[str] | PositiveInt | Path, Field(union_mode="left_to_right")]


class ClassifierTraining(Section):
    """Training of one network on many classes: SGD with a one-cycle learning rate."""

    epochs: Whole
    learning_rate: PositiveFloat = 0.1  # the peak
    weight_decay: NonNegativeFloat = 1e-3  # L2
    batch_size: Annotated[Whole, Field(ge=2)] = 64  # images
    augment: bool = True  # random flips and shifts
    teacher: NonNegativeFloat = 0.0  # weight of a loss that pulls features towards CLIP's; 0: not used


class Backbone(Section):
    """The start of `finetuned` members: a network that is trained first, or a checkpoint."""

    classes: ClassChoice | None = Field(
        None, description="its training classes, which no task uses: names, a number to draw, or a file of names"
    )
    checkpoint: str | None = Field(
        None,
        description="used instead of training: `torchvision:<weights>` or `timm:<model>`, which are downloaded once, "
        "`pip:<package>`, the weights in an installed Python package, or a file with a state dict (torch or "
        "safetensors)",
    )
    sha256: Sha256 | None = Field(None, description="SHA-256 checksum of the checkpoint's file; others are refused")
    epochs: PositiveInt = Field(60, description="epochs of its training (SGD, one-cycle learning rate)")
    augment: bool = Field(True, description="random flips and shifts during training")
    teacher: NonNegativeFloat = Field(0.0, description=TEACHER)

    def training(self) -> ClassifierTraining:
        """Return the settings of its training."""
        return ClassifierTraining(epochs=self.epochs, augment=self.augment, teacher=self.teacher)

    @model_validator(mode="after")
    def _checkpoint_has_its_keys(self) -> Self:
        if self.teacher and self.checkpoint is not None:
            raise ValueError("teacher: a checkpoint is not trained; remove one of them")
        if self.sha256 and self.checkpoint is None:
            raise ValueError("sha256: there is no checkpoint; remove it")
        return self
