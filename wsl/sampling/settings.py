"""Conditional sampling."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from wsl.recipe import IMAGE_COUNTS, KEEP, NORMALISATION, Fitting, ImageCounts, Keep, Normalisation, Schedule
from wsl.sampling.generator_settings import Generator, Recalibration
from wsl.sections import NonNegativeFloat, PositiveFloat, PositiveInt, Section
from wsl.shared.losses.base import Losses
from wsl.shared.settings import Predictor

SamplerName = Literal["projection", "regression", "memory-bank", "retrieval", "flow", "generator"]
Space = Literal["latent", "coefficients"]


class Refinement(Section):
    """A few steps of a sampled model on its task's training images, of its code or of all its weights."""

    steps: PositiveInt = Field(10, description="gradient steps (Adam)")
    batch_size: PositiveInt = Field(64, description="images a step")
    learning_rate: PositiveFloat = Field(0.05, description="of the code, in its training deviations")
    fine_tuning_rate: PositiveFloat = Field(1e-3, description="of all weights, in the comparison of equal compute")


class RegressionLosses(Losses):
    """Losses of the regression."""

    defaults = {"mse": 1.0}  # noqa: RUF012


class Learnt(Fitting):
    """A learned sampler of codes.

    Its own validation loss is a poor judge: most of it is what no dataset can tell of weights, and it is lowest before
    the rest is learnt. So the last state is kept.
    """

    schedule: Schedule = Field("cosine", description="learning rate over the epochs")
    keep: Keep = Field("last", description=KEEP)
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="dropout after each hidden layer")


class Regression(Learnt, Predictor):
    """The sampler `regression`: a network that predicts codes, fitted like the shared encoder."""

    hidden: list[PositiveInt] = Field([512], description="sizes of the hidden layers")
    outcome_embedding: PositiveInt = Field(32, description="numbers in an outcome bin's learned embedding")
    losses: RegressionLosses = Field(default_factory=RegressionLosses)
    image_counts: ImageCounts = Field([], description=IMAGE_COUNTS)
    space: Space = Field("coefficients", description="what is predicted: `latent` z_W or `coefficients` C_m")
    normalise: Normalisation = Field("per-parameter", description=NORMALISATION)

    @model_validator(mode="after")
    def _latents_have_no_parameters(self) -> Self:
        if self.space == "latent" and self.normalise == "per-parameter":
            raise ValueError("a latent has no named parameters; set normalise to per-coefficient or global")
        return self

    @model_validator(mode="after")
    def _length_is_fixed(self) -> Self:
        if not self.losses.mse.weight + self.losses.norm.weight:
            raise ValueError(
                "nt_xent and cosine leave a prediction's length open; give losses.mse or losses.norm a weight"
            )
        return self


class MemoryBank(Section):
    """The sampler `memory-bank`: a weighted mean of the codes of the training snapshots that fit best."""

    space: Space = Field("coefficients", description="what is averaged: `latent` z_W or `coefficients` C_m")
    top_k: PositiveInt = Field(8, description="snapshots, in any class order, that are averaged")
    temperature: PositiveFloat = Field(0.1, description="of the softmax over their scores")
    outcome: Literal["loss", "log-loss"] = Field("log-loss", description="scale on which outcomes are compared")
    width: PositiveFloat = Field(0.5, description="deviation of the kernel of outcomes, on that scale")


class Retrieval(Section):
    """The sampler `retrieval`: the nearest training snapshot."""

    space: Space = Field("coefficients", description="which code is decoded: `latent` z_W or `coefficients` C_m")


class Flow(Learnt):
    """The sampler `flow`: the prediction of `regression`, and around it what a flow from noise makes.

    So one condition gives many models. Codes, their units and the counts of images are those of `regression`.
    """

    hidden: list[PositiveInt] = Field([512, 512], description="sizes of the hidden layers")
    directions: PositiveInt = Field(
        32, description="principal directions of what predictions leave open, along which models differ"
    )
    frequencies: PositiveInt = Field(8, description="waves by which the network sees time and outcome")
    steps: PositiveInt = Field(32, description="steps from noise to a code")
    method: Literal["euler", "heun"] = Field("heun", description="how a step is made")
    temperature: NonNegativeFloat = Field(
        1.0,
        description="deviation of the noise that a sample starts from: at 1 samples differ as trained members do, with "
        "less they differ less, and at 0 they are the prediction",
    )


class Sampling(Section):
    """Conditional sampling (figure 3.2)."""

    outcome: Literal["best"] | NonNegativeFloat = Field(
        "best",
        description="requested validation loss; `best`: the lowest bin that a training snapshot reached. `generator` "
        "only rescales its logits to reach it, which changes no prediction",
    )
    sampler: SamplerName = Field(
        "projection", description="the sampler that writes models; `projection`: the shared encoder's (the thesis)"
    )
    samplers: Annotated[list[SamplerName], Field(min_length=1)] = Field(
        ["projection", "regression", "memory-bank", "retrieval", "flow"], description="the samplers that are compared"
    )
    draws: PositiveInt = Field(
        1, description="how many times each learned sampler is fitted, each from a seed of its own"
    )
    norm: Literal["training", "raw"] = Field(
        "training",
        description="NT-Xent fixes only z_proj's direction: `training` scales it to the mean norm of training latents, "
        "`raw` decodes it as it is (projection)",
    )
    regression: Regression = Field(default_factory=Regression)
    memory_bank: MemoryBank = MemoryBank()
    retrieval: Retrieval = Retrieval()
    flow: Flow = Flow()
    generator: Generator = Generator()
    recalibration: Recalibration = Recalibration()
    refinement: Refinement = Refinement()

    @field_validator("samplers")
    @classmethod
    def _named_once(cls, samplers: list[str]) -> list[str]:
        if len(set(samplers)) < len(samplers):
            raise ValueError("a sampler is named twice")
        return samplers
