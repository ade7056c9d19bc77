"""Kinds of values that several sections share."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from wsl.distributions import Distribution, check_numbers


def _not_a_truth_value(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a whole number is due")
    return value


RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
# Numbers may come as text: snakemake's own --config leaves those inside of {...} so.
Whole = Annotated[int, BeforeValidator(_not_a_truth_value)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{64}$", to_lower=True)]
Share = Annotated[float, Field(gt=0, lt=1)]
PositiveInt = Annotated[Whole, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Counts = Annotated[Distribution, AfterValidator(lambda d: check_numbers(d, low=1, whole=True))]
BatchSizes = Annotated[Distribution, AfterValidator(lambda d: check_numbers(d, low=2, whole=True))]
Rates = Annotated[Distribution, AfterValidator(lambda d: check_numbers(d, low=0, whole=False, low_allowed=False))]
Decays = Annotated[Distribution, AfterValidator(lambda d: check_numbers(d, low=0, whole=False))]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
