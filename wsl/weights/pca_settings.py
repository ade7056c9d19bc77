"""Settings of PCA; a file of their own, so that editing other settings of weights leaves fitted PCA up to date."""

from typing import Annotated, Literal

from pydantic import Field

from wsl.settings.sections import NonNegativeFloat, PositiveInt, Section, Whole


class PcaSettings(Section):
    """PCA of every named parameter (Algorithm 3.1)."""

    variance_threshold: NonNegativeFloat = Field(
        1e-10, description="VARIANCE_THRESHOLD: below this mean variance only a parameter's mean is kept"
    )
    dimension_limit: Annotated[Whole, Field(ge=0)] = Field(
        4, description="DIMENSION_LIMIT: parameters with at most this many values are only centred"
    )
    components: PositiveInt = Field(32, description="maximum number of principal components per named parameter")
    solver: Literal["gram", "incremental", "full", "randomized"] = Field(
        "gram",
        description="`gram` is exact and streams the weights; `incremental` is IncrementalPCA (the thesis); `full` and "
        "`randomized` are those of scikit-learn",
    )

    def most_coefficients(self, columns: int, rows: int) -> int:
        """Return the maximum number of coefficients of a parameter of ``columns`` values, fitted on ``rows``."""
        return columns if columns <= self.dimension_limit else min(self.components, rows - 1, columns)
