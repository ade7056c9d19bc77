"""Settings of conditional sampling, and of networks that samplers learn."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, field_validator

from wsl.sampling.methods.base import METHODS
from wsl.sampling.prompt_members import PromptSettings
from wsl.settings.sections import NonNegativeFloat, PositiveFloat, PositiveInt, Section, Sections, Whole
from wsl.training.recipe import Fitting


def _is_sampler(name: str) -> str:
    samplers = METHODS.of_kind("sampler")
    if name not in samplers:
        raise ValueError(f"unknown sampler; the samplers are {', '.join(samplers)}")
    return name


SamplerName = Annotated[str, AfterValidator(_is_sampler)]


class Learned(Fitting):
    """Training of a sampler of codes.

    The last state is kept: most of the validation loss is not predictable from any dataset, and its minimum comes
    before the predictable part is learned.
    """

    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="dropout after each hidden layer")
    weight_decay: ClassVar[float] = 0.0
    patience: ClassVar[int | None] = None
    schedule: ClassVar[str] = "cosine"
    keep: ClassVar[str] = "last"


class BodySettings(Section):
    """The generator's body: the mean of the zoo, trained on all classes that the zoo saw (SGD, one-cycle)."""

    epochs: Annotated[Whole, Field(ge=0)] = Field(30, description="epochs; 0 keeps the mean of the zoo")
    learning_rate: PositiveFloat = Field(0.1, description="peak learning rate")
    augment: bool = Field(True, description="random flips and shifts")
    teacher: NonNegativeFloat = Field(
        0.0, description="weight of a loss between features and the CLIP features of the same images"
    )
    weight_decay: ClassVar[float] = 1e-3
    batch_size: ClassVar[int] = 64


class RecalibrationSettings(Section):
    """Batch-normalisation statistics of decoded weights, re-estimated on training images."""

    enabled: bool = Field(True, description="re-estimate them; otherwise use them as decoded")


class Sampling(Sections):
    """Conditional sampling (figure 3.2)."""

    registry = METHODS

    outcome: Literal["best"] | NonNegativeFloat = Field(
        "best",
        description="requested validation loss; `best`: the lowest bin that a training snapshot reached. `generator` "
        "reaches it only by rescaling its logits, which changes no prediction",
    )
    sampler: SamplerName = Field("projection", description="sampler that writes models, in the run and by `wsl sample`")
    samplers: Annotated[list[SamplerName], Field(min_length=1)] = Field(
        ["projection", "regression", "memory-bank", "retrieval", "flow"],
        description="samplers to compare: `projection` (the thesis), `regression`, `memory-bank`, `retrieval`, `flow`, "
        "`kde`, `kde-subsampled`, `kde-bootstrapped`, `autoregressive`, `generator`, or a plug-in's",
    )
    draws: PositiveInt = Field(1, description="number of fits of each learned sampler, from different seeds")
    recalibration: RecalibrationSettings = RecalibrationSettings()
    prompt_members: PromptSettings = PromptSettings()

    @classmethod
    def subsections(cls) -> dict[str, type[Section]]:
        """Return the class ``Settings`` of each method that has settings, by key."""
        return {key: settings for key, settings in super().subsections().items() if settings.model_fields}

    def of(self, name: str) -> Section:
        """Return the settings of a method.

        Raises:
            ConfigError: there is no such method.
        """
        return super().of(name) if METHODS[name].Settings.model_fields else METHODS[name].Settings()

    @field_validator("samplers")
    @classmethod
    def _named_once(cls, samplers: list[str]) -> list[str]:
        if len(set(samplers)) < len(samplers):
            raise ValueError("a sampler is named twice")
        return samplers
