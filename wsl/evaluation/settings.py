"""Evaluation of reconstructed and sampled models."""

from typing import Annotated, Any, Literal

from pydantic import Field

from wsl.sections import RUN_NAME, NonNegativeFloat, PositiveFloat, PositiveInt, Section, Whole

# What `evaluation.properties` measures.
CONTROL_REQUESTS = 20  # validation losses requested per held-out task
NOVELTY_SAMPLES = 5  # models sampled per held-out task
MAP_MEMBERS = 50  # training members in the map of the shared space, the first ones


class FineTuning(Section):
    """How the models of every sampler and baseline are fine-tuned on a held-out task: all with the same recipe."""

    epochs: list[Annotated[Whole, Field(ge=1)]] = Field([1, 10], description="epochs after which they are judged")
    optimizer: Literal["adam", "sgd"] = Field("adam", description="`adam`, or `sgd` with momentum 0.9")
    learning_rate: PositiveFloat = Field(1e-3, description="learning rate")
    batch_size: Annotated[Whole, Field(ge=2)] = Field(32, description="images a batch")
    augment: bool = Field(True, description="random flips and shifts")


class Search(Section):
    """Encoding by answers: steps on a held-out member's latent until what is decoded sees and answers as it does."""

    steps: Annotated[Whole, Field(ge=0)] = Field(0, description="gradient steps (Adam); 0: none")
    batch_size: Annotated[Whole, Field(ge=2)] = Field(64, description="training images of its task a step")
    learning_rate: PositiveFloat = Field(0.02, description="of the latent, in its training deviations")
    features: NonNegativeFloat = Field(
        10, description="weight of the outputs of residual blocks beside class probabilities; 0: probabilities alone"
    )
    encoders: list[str] = Field([], description="names of the encoders that it is tried with; none: all on the bench")


class Bench(Section):
    """Weight encoders that are measured beside the run's own, over the same members."""

    encoders: dict[Annotated[str, Field(pattern=RUN_NAME)], dict[str, Any]] = Field(
        {},
        description="a name, and the keys of `weights` in which an encoder differs from the run's own; empty: no bench",
    )
    shared: bool = Field(
        True, description="also train the shared encoder on the latents of each, to see how far (D, R) can tell them"
    )
    search: Search = Search()


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
    image_counts: list[Annotated[Whole, Field(ge=0)]] = Field(
        [1, 5, 20],
        description="images per class that samplers and baselines may use, besides all images; 0: class names",
    )
    finetuning: FineTuning = FineTuning()
    bench: Bench = Bench()
