"""Distributions of hyper-parameters, as the config contains them."""

import math
import re
from typing import Annotated, Any, Self

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictFloat,
    StrictInt,
    Tag,
    field_validator,
    model_validator,
)

Scalar = StrictInt | StrictFloat | str  # strict, since a boolean would otherwise become 1


class BaseDistribution(BaseModel):
    """Base class of the distributions, whose main key is their class's name in lower case."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def bounds(self) -> tuple[float, float]:
        return getattr(self, type(self).__name__.lower())


class Choice(BaseDistribution):
    """Equal probability of each value: ``{choice: [adam, sgd]}``; a bare value is a choice of one."""

    choice: list[Scalar] = Field(min_length=1)

    @field_validator("choice", mode="before")
    @classmethod
    def _numbers_in_words(cls, values: Any) -> Any:
        # YAML reads 1e-3 (without a dot) as text; Snakemake's --config reads every number inside {...} as text.
        return [_number(value) for value in values] if isinstance(values, list) else values

    def sample(self, rng: np.random.Generator) -> Scalar:
        return self.choice[int(rng.integers(len(self.choice)))]

    def bounds(self) -> tuple[float, float]:
        return min(self.choice), max(self.choice)


class Uniform(BaseDistribution):
    """Uniform real numbers: ``{uniform: [low, high]}``."""

    uniform: tuple[float, float]

    def sample(self, rng: np.random.Generator) -> float:
        return float(rng.uniform(*self.uniform))


class LogUniform(BaseDistribution):
    """Real numbers whose logarithm is uniform: ``{loguniform: [low, high]}``."""

    loguniform: tuple[float, float]

    def sample(self, rng: np.random.Generator) -> float:
        return float(np.exp(rng.uniform(*np.log(self.loguniform))))

    @model_validator(mode="after")
    def _has_logarithms(self) -> Self:
        if self.loguniform[0] <= 0:
            raise ValueError(f"loguniform: {self.loguniform[0]:g} has no logarithm; choose a lower bound above 0")
        return self


class Integers(BaseDistribution):
    """Uniform integers from low to high, both included: ``{integers: [5, 10]}``."""

    integers: tuple[int, int]

    def sample(self, rng: np.random.Generator) -> int:
        return int(rng.integers(self.integers[0], self.integers[1] + 1))


class Normal(BaseDistribution):
    """Normal draws, clipped and rounded to integers: ``{normal: [100, 15], clip: [50, 150]}`` (thesis, Table 3.1)."""

    normal: tuple[float, float]
    clip: tuple[int, int]

    def sample(self, rng: np.random.Generator) -> int:
        return round(float(np.clip(rng.normal(*self.normal), *self.clip)))

    def bounds(self) -> tuple[float, float]:
        return self.clip

    @model_validator(mode="after")
    def _spread_is_not_negative(self) -> Self:
        if self.normal[1] < 0:
            raise ValueError(f"normal: the standard deviation {self.normal[1]} is negative")
        return self


def _number(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"[-+]?\d+\.?\d*([eE][-+]?\d+)?", value):
        return value
    return int(value) if value.isdigit() else float(value)


def _kind(value: Any) -> str | None:
    if isinstance(value, BaseDistribution):
        return type(value).__name__.lower()
    return next((kind for kind in KINDS if isinstance(value, dict) and kind in value), None)


KINDS = ("choice", "uniform", "loguniform", "integers", "normal")
Distribution = Annotated[
    Annotated[Choice, Tag("choice")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("loguniform")]
    | Annotated[Integers, Tag("integers")]
    | Annotated[Normal, Tag("normal")],
    Discriminator(
        _kind,
        custom_error_type="distribution",
        custom_error_message="not a distribution; write a value, or one of {choice: [...]}, {uniform: [low, high]}, "
        "{loguniform: [low, high]}, {integers: [low, high]}, {normal: [mean, deviation], clip: [low, high]}",
    ),
    BeforeValidator(lambda value: {"choice": [value]} if isinstance(value, int | float | str) else value),
]


def check_numbers(distribution: Distribution, low: float, whole: bool, low_allowed: bool = True) -> Distribution:
    """Return a distribution after checking that its values are integers (``whole``) or numbers, and not below ``low``.

    Raises:
        ValueError: a value can be text, a fraction or too small; the message names it.
    """
    if isinstance(distribution, Choice):
        for value in distribution.choice:
            if isinstance(value, str | bool) or (whole and not isinstance(value, int)):
                raise ValueError(f"{value!r} is not {'an integer' if whole else 'a number'}")
    elif whole and not isinstance(distribution, Integers | Normal):
        raise ValueError(
            "this key needs integers: use {integers: [low, high]}, {normal: ..., clip: ...} or {choice: [...]}"
        )
    lowest, highest = distribution.bounds()
    if not -math.inf < lowest <= highest < math.inf:
        raise ValueError(f"the lower bound {lowest} must be at most the upper bound {highest}")
    if lowest < low or (lowest == low and not low_allowed):
        raise ValueError(f"{lowest:g} is too small: it must be {'at least' if low_allowed else 'above'} {low:g}")
    return distribution
