"""Weight encoders: their interface, and the files that they are fitted on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from wsl.files.plain import Files
from wsl.settings.registry import Registry
from wsl.settings.sections import Named, NonNegativeFloat, PositiveInt
from wsl.training.recipe import Recipe

if TYPE_CHECKING:
    from wsl.weights.coefficients import LinearCodec
    from wsl.weights.fitted import FittedEncoder
    from wsl.weights.training import EncoderData, Training
    from wsl.zoo.layout import Layout

WEIGHT_ENCODERS: Registry = Registry("weight encoder", "wsl.weights.encoders")
Measure = Literal["divergence", "probabilities", "logits"]  # of the behaviour loss


@dataclass(frozen=True)
class EncoderInputs:
    """Files that a weight encoder is fitted on; those that it does not read are empty.

    Attributes:
        train_index: index of the training members.
        validation_index: index of the validation members.
        train: coefficients of the training snapshots.
        validation: coefficients of the validation snapshots.
        fitted: PCA files, in the order of the layout.
        packed: packed images, one file per class, or a list of them.
        other_zoos: indices of the training members of other runs.
        further_train: indices of the training members of further architectures of a mixed zoo.
        further_validation: indices of the validation members of further architectures, in the same order.
    """

    train_index: str | Path
    validation_index: str | Path
    train: str | Path | None = None
    validation: str | Path | None = None
    fitted: Sequence[str | Path] = ()
    packed: Files = ()
    other_zoos: Sequence[str | Path] = ()
    further_train: Sequence[str | Path] = ()
    further_validation: Sequence[str | Path] = ()


class WeightEncoder(Named):
    """A weight encoder, W -> z_W -> W. Its fields are its settings.

    Attributes:
        label: name in figures.
        colours: colours in figures by the gate of the run's budget, ``uniform`` for none; others are chosen by name.
        reads_coefficients: whether it is fitted on PCA coefficients and starts from the run's PCA.
        per_token: whether z_W consists of one latent per token; its module has ``tokens``, their number.
        mixed: whether one fit takes networks of several architectures; its module implements ``FittedEncoder.of``.
        decodes: whether latents can be decoded; otherwise the encoder is only probed and aligned, on the bench.
    """

    label: ClassVar[str]
    colours: ClassVar[Mapping[str, str]] = {}
    reads_coefficients: ClassVar[bool] = False
    per_token: ClassVar[bool] = False
    mixed: ClassVar[bool] = False
    decodes: ClassVar[bool] = True

    @property
    def reads_images(self) -> bool:
        """Whether it is fitted on training images too."""
        return False

    @property
    def other_runs(self) -> Sequence[str]:
        """Names of other runs on whose training members it is fitted too."""
        return ()

    @property
    def first_stage_share(self) -> float | None:
        """Fraction of the log compression ratio done by a non-linear first stage; None: it has no such stages."""
        return None

    def check(self, layout: Layout) -> None:
        """Check, before any job, that the settings fit the members' networks.

        Raises:
            ConfigError: they do not fit.
        """

    def numbers(self, coefficients: int) -> int:
        """Return the size of a state for ``coefficients`` per model, to estimate disk space; 0: negligible."""
        return 0

    @abstractmethod
    def prepare(self, data: EncoderData) -> Training:
        """Return the module to fit and its losses; a module without parameters is written without a fit.

        The random numbers of torch are seeded before the call.
        """

    @classmethod
    @abstractmethod
    def load(cls, about: dict[str, Any], linear: LinearCodec) -> FittedEncoder:
        """Return the module of a fitted file, before its tensors are loaded.

        ``about`` is that of the module that was written, ``linear`` is the PCA of the run.
        """


class TrainedEncoder(WeightEncoder, Recipe):
    """A weight encoder that is fitted by gradient steps, optionally with a behaviour loss (Meynent et al. 2025)."""

    behaviour: NonNegativeFloat = Field(
        0.0,
        description="weight of the behaviour loss, which compares a decoded model's outputs on training images with "
        "its original's; the loss over weights is then averaged over numbers",
    )
    behaviour_relative: bool = Field(
        False,
        description="measure the behaviour loss in units of its value when every network is decoded to the mean of "
        "training snapshots, so that one weight suits all zoos and measures",
    )
    behaviour_queries: PositiveInt = Field(
        8, description="training images per class for the behaviour loss, drawn for each batch of snapshots"
    )
    behaviour_measure: Measure = Field(
        "divergence",
        description="measure of the behaviour loss: KL divergence (nats); the mean squared difference of class "
        "probabilities (Meynent et al. 2025); or the error of logits relative to the size of the original's, so that "
        "networks with logits of any size count alike",
    )

    @property
    def reads_images(self) -> bool:
        """Whether there is a behaviour loss."""
        return self.behaviour > 0
