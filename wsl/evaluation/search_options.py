"""Options of ``wsl search``, except files and folders."""

from typing import Annotated, Literal

from pydantic import Field

from wsl.settings.sections import PositiveInt, Section, Whole


class SearchOptions(Section):
    """How members are chosen and evaluated."""

    best: PositiveInt = Field(3, description="Members of each method that get a new head and are evaluated.")
    head: Literal["probe", "prototypes"] = Field(
        "probe",
        description="The new head of found members and baselines: a linear probe (logistic regression, its penalty "
        "from cross-validation), or class prototypes.",
    )
    images: PositiveInt = Field(
        200, description="Most training images of each class that scores and heads use; more take longer."
    )
    size: Annotated[Whole, Field(ge=8)] | None = Field(
        None,
        description="Side of the images in pixels, for imported networks that read any size. [default: the run's]",
    )
    held_out: Annotated[float, Field(ge=0, le=0.9)] = Field(
        0.2, description="Fraction of each class's images that is set aside, only to evaluate what was found."
    )
    seed: Annotated[Whole, Field(ge=0)] = Field(0, description="Random seed of the split and of random members.")
    classes: list[str] = Field([], description="Which class folders to use, in this order; all if none is named.")
