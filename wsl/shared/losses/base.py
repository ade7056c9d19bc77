"""Losses between projections and codes of weights: their interface, and the weighted sum of several."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from wsl.settings.registry import Registry
from wsl.settings.sections import NonNegativeFloat, Section, Sections


class LossSettings(Section):
    """Settings of a loss; a bare number stands for its weight."""

    weight: NonNegativeFloat = Field(0.0, description="weight (0: not used)")

    @model_validator(mode="before")
    @classmethod
    def _number_is_a_weight(cls, value: Any) -> Any:
        return value if isinstance(value, dict | LossSettings) else {"weight": value}


class Loss(ABC):
    """A loss between projections and codes.

    Attributes:
        name: in the config.
        Settings: its weight and its own settings.
        summary: one line for the config reference.
        compares_values: whether it compares codes number by number, so that outputs need the scale of the codes.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[LossSettings]] = LossSettings
    summary: ClassVar[str]
    compares_values: ClassVar[bool] = False

    @staticmethod
    @abstractmethod
    def compute(projections: Any, codes: Any, scale: Any, settings: Any) -> Any:
        """Return the loss, a scalar.

        Args:
            projections: tensor (n, code), in the units of the codes.
            codes: (n, code); row i belongs to projection i.
            scale: standard deviations of training codes (code,), or ones where no loss compares values.
            settings: instance of ``Settings``.
        """

    @staticmethod
    def chance(pairs: int, settings: Any) -> float:
        """Return the loss of uninformative projections for a batch of ``pairs``; NaN: it has no such value."""
        return float("nan")


LOSSES: Registry = Registry("loss", "wsl.shared.losses")


class Losses(Sections):
    """Weights of the losses between projections and codes of weights; 0: not used."""

    registry = LOSSES

    @model_validator(mode="after")
    def _has_a_loss(self) -> Self:
        if not self.used():
            raise ValueError("every weight is 0; give one of the losses a weight")
        return self

    def used(self) -> list[tuple[type[Loss], Any]]:
        """Return the losses with a weight, each with its settings."""
        return [(LOSSES[name], self.of(name)) for name in LOSSES if self.of(name).weight]


def total_loss(projections: Any, codes: Any, scale: Any, losses: Losses) -> Any:
    """Return the weighted sum of losses, a scalar; see ``Loss.compute``."""
    return sum(settings.weight * loss.compute(projections, codes, scale, settings) for loss, settings in losses.used())


def chance_of(pairs: int, losses: Losses) -> float:
    """Return the total loss of uninformative projections; NaN: one of the losses has no such value."""
    return sum(settings.weight * loss.chance(pairs, settings) for loss, settings in losses.used())
