"""Settings of the results encoder."""

from typing import Literal

from pydantic import Field

from wsl.sections import PositiveInt, Section


class Outcomes(Section):
    """The results encoder (section 3.2.3)."""

    bins: PositiveInt = Field(10, description="number of outcome bins")
    spacing: Literal["equal-width", "quantiles"] = Field("equal-width", description="how the bins' edges are set")
    interpolate: bool = Field(
        False,
        description="mix the embeddings of the two nearest bins, so that R is continuous; otherwise each loss is "
        "represented by its bin (the thesis)",
    )
