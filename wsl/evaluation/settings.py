"""Evaluation of reconstructed and sampled models."""

from typing import Annotated, Literal

from pydantic import Field

from wsl.evaluation.bench import Bench
from wsl.sections import PositiveFloat, PositiveInt, Section, Whole


class FineTuning(Section):
    """How the models of every sampler and baseline are fine-tuned on a held-out task: all with the same recipe."""

    epochs: list[Annotated[Whole, Field(ge=1)]] = Field([1, 10], description="epochs after which they are judged")
    optimizer: Literal["adam", "sgd"] = Field("adam", description="`adam`, or `sgd` with momentum 0.9")
    learning_rate: PositiveFloat = Field(1e-3, description="learning rate")
    batch_size: Annotated[Whole, Field(ge=2)] = Field(32, description="images a batch")
    augment: bool = Field(True, description="random flips and shifts")


class Evaluation(Section):
    """Evaluation (chapter 4)."""

    synthetic_images: PositiveInt = Field(256, description="Gaussian noise images for figure 4.1b")
    training_images: PositiveInt = Field(300, description="most training images a class for Table 4.1")
    heatmap_members: PositiveInt = Field(5, description="members in the heat map of figure 4.3")
    growth: bool = Field(
        False,
        description="draw how accuracy grows with the number of training members, over this run and those in "
        "`beside` of its regime",
    )
    properties: bool = Field(
        False,
        description="also measure what samplers can do beyond accuracy: control by R, novelty, diversity, refinement, "
        "retrieval, and a map of the shared space",
    )
    control_requests: Annotated[Whole, Field(ge=2)] = Field(
        20, description="validation losses requested for each held-out task, to see whether samplers heed R"
    )
    novelty_samples: PositiveInt = Field(5, description="models sampled for each held-out task, to see how they differ")
    map_members: PositiveInt = Field(50, description="training members in the map of the shared space, the first")
    map_method: Literal["tsne", "pca"] = Field("tsne", description="how that map is made flat")
    image_counts: list[Annotated[Whole, Field(ge=0)]] = Field(
        [1, 5, 20],
        description="images per class that samplers and baselines may look at, besides all; 0: the classes' names",
    )
    finetuning: FineTuning = FineTuning()
    bench: Bench = Bench()
