"""The sampler that generates whole weights, and batch-normalisation statistics of the others'."""

from typing import Annotated

from pydantic import Field

from wsl.sections import NonNegativeFloat, PositiveFloat, PositiveInt, Section, Whole


class Body(Section):
    """The generator's body: the mean of the zoo, tuned on all classes that the zoo saw (SGD, one-cycle)."""

    epochs: Annotated[Whole, Field(ge=0)] = Field(30, description="epochs; 0 keeps the mean of the zoo")
    learning_rate: PositiveFloat = Field(0.1, description="peak learning rate")
    weight_decay: NonNegativeFloat = Field(1e-3, description="weight decay (L2)")
    batch_size: Annotated[Whole, Field(ge=2)] = Field(64, description="images a batch")
    augment: bool = Field(True, description="random flips and shifts")
    teacher: NonNegativeFloat = Field(
        0.0, description="weight of a loss that draws its features towards the CLIP features of the same images"
    )


class Generator(Section):
    """The sampler `generator`: one body for all tasks, a head inferred for each, scaled to the outcome asked for."""

    body: Body = Body()
    image_counts: Annotated[list[PositiveInt], Field(min_length=1)] = Field(
        [1, 2, 5, 10, 20, 50, 100, 200],
        description="images a class for which it learns to infer heads, no more than the smallest class has; names "
        "too, where datasets.prompts gives them",
    )
    names: bool = Field(
        False,
        description="classes' names beside their images too; needs datasets.prompts, and helps where CLIP knows them",
    )
    temperature: NonNegativeFloat = Field(
        0.0, description="how widely heads vary between samples; 0: the likeliest, 1: as uncertain as they are"
    )


class Recalibration(Section):
    """Batch-normalisation statistics of decoded weights, re-estimated on training images."""

    enabled: bool = Field(True, description="re-estimate them; otherwise they stay as decoded")
    strength: NonNegativeFloat = Field(
        30.0,
        description="images of a task at which its own statistics count as much as those of a mixture of the zoo's "
        "classes; 0: its own alone",
    )
