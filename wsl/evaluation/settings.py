"""Evaluation of reconstructed and sampled models."""

from typing import Annotated, Literal

from pydantic import Field

from wsl.evaluation.bench import Bench
from wsl.settings.sections import PositiveFloat, PositiveInt, Section, Whole

# What `evaluation.properties` measures.
CONTROL_REQUESTS = 20  # validation losses requested per held-out task
NULL_REQUESTS = 8  # those of them that each null arm is asked for: three null arms then cost 1.2 times the rest
NOVELTY_SAMPLES = 5  # models sampled per held-out task
SHARED_TASK = 10  # held-out members of each task, the first ones, where members share tasks
MAP_MEMBERS = 50  # training members in the map of the shared space, the first ones


class FineTuning(Section):
    """Fine-tuning on a held-out task, the same for the models of all samplers and baselines."""

    epochs: list[Annotated[Whole, Field(ge=1)]] = Field([1, 10], description="epochs after which they are evaluated")
    optimizer: Literal["adam", "sgd"] = Field("adam", description="`adam`, or `sgd` with momentum 0.9")
    learning_rate: PositiveFloat = Field(1e-3, description="learning rate")
    batch_size: Annotated[Whole, Field(ge=2)] = Field(32, description="images per batch")
    augment: bool = Field(True, description="random flips and shifts")
    members: PositiveInt | None = Field(
        None,
        description="held-out members per part and task whose models are fine-tuned, the first ones; empty: all. Whole "
        "tasks have many members each",
    )


class Evaluation(Section):
    """Evaluation (chapter 4)."""

    synthetic_images: PositiveInt = Field(256, description="Gaussian noise images for figure 4.1b")
    training_images: PositiveInt = Field(300, description="maximum number of training images per class for Table 4.1")
    heatmap_members: PositiveInt = Field(5, description="members in the heat map of figure 4.3")
    growth: bool = Field(
        False,
        description="draw how accuracy and agreement of reconstructions grow with the number of training members, over "
        "this run and those in `beside` of its regime; with zoos of several seeds, intervals are over zoos",
    )
    properties: bool = Field(
        False,
        description="also measure properties other than accuracy: control by R, novelty, diversity, refinement, "
        "retrieval, and a map of the shared space",
    )
    image_counts: list[Annotated[Whole, Field(ge=0)]] = Field(
        [1, 5, 20],
        description="numbers of images per class that samplers and baselines may use, in addition to all; 0: class "
        "names",
    )
    finetuning: FineTuning = FineTuning()
    bench: Bench = Bench()
