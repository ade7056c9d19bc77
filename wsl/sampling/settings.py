"""Settings of conditional sampling, and of networks that samplers learn."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, field_validator

from wsl.errors import ConfigError
from wsl.sampling.merging.base import MERGES, HeadName
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


def _is_merge(name: str) -> str:
    if name not in MERGES:
        raise ValueError(f"unknown way to merge; give some of {', '.join(MERGES)}")
    return name


MergeName = Annotated[str, AfterValidator(_is_merge)]


def _distinct(names: list[str]) -> list[str]:
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{repeated} is named twice")
    return names


def with_fields(sections: dict[str, type[Section]]) -> dict[str, type[Section]]:
    """Return the sections that have fields."""
    return {key: settings for key, settings in sections.items() if settings.model_fields}


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


class Merging(Sections):
    """Baselines from model merging: bodies made from the weights of all members, without training."""

    registry = MERGES

    methods: list[MergeName] = Field(
        [],
        description="ways to merge whose bodies are compared: `soup`, `task-arithmetic`, `ties`, `regmean`, `wudi`, "
        "`nearest-soup`, `nearest-line`, or a plug-in's",
    )
    heads: Annotated[list[HeadName], Field(min_length=1)] = Field(
        ["prototypes", "probe"],
        description="heads of these bodies: class prototypes, a linear probe, or the `inference` of the sampler "
        "`generator` (not for `nearest-soup` and `nearest-line`, which have a body for each task)",
    )

    _named_once = field_validator("methods", "heads")(_distinct)

    @classmethod
    def subsections(cls) -> dict[str, type[Section]]:
        """Return the class ``Settings`` of each merge that has settings, by key."""
        return with_fields(super().subsections())

    def of(self, name: str) -> Section:
        """Return the settings of a merge."""
        return super().of(name) if MERGES[name].Settings.model_fields else MERGES[name].Settings()

    def check(self, layout: Any, has_start: bool) -> None:
        """Refuse a zoo that cannot be merged, before any job.

        Args:
            layout: of its networks.
            has_start: whether its members have a common start.

        Raises:
            ConfigError: with the key and the remedy.
        """
        if self.methods and len(layout.head) != 2:
            raise ConfigError(
                "sampling.merging.methods: merged bodies get a head with weight and bias, and heads of these networks "
                "have no bias; leave it empty, or choose another zoo.architecture"
            )
        for name in self.methods:
            if MERGES[name].needs_start and not has_start:
                raise ConfigError(
                    f"sampling.merging.methods: {name} merges differences from a common start, and each member has its "
                    "own; remove it, or set zoo.init to shared or finetuned"
                )


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
    merging: Merging = Field(default_factory=Merging)

    @classmethod
    def subsections(cls) -> dict[str, type[Section]]:
        """Return the class ``Settings`` of each method that has settings, by key."""
        return with_fields(super().subsections())

    def of(self, name: str) -> Section:
        """Return the settings of a method.

        Raises:
            ConfigError: there is no such method.
        """
        return super().of(name) if METHODS[name].Settings.model_fields else METHODS[name].Settings()

    _named_once = field_validator("samplers")(_distinct)
