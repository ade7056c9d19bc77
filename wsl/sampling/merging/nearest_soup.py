"""The soup of the members with the most similar data sets."""

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from wsl.sampling.merging.base import MERGES, ByTask
from wsl.settings.sections import PositiveInt, Section

if TYPE_CHECKING:
    from wsl.sampling.merging._members import Members


class NearestSoupSettings(Section):
    """The merge `nearest-soup`."""

    counts: Annotated[list[PositiveInt], Field(min_length=1)] = Field(
        [1, 2, 5, 10, 20, 50, 100], description="numbers of members; the best on validation tasks is used"
    )


@MERGES.register("nearest-soup")
class NearestSoup(ByTask):
    """The mean of the members with the most similar data sets."""

    Settings = NearestSoupSettings
    label, marker = "soup of the nearest", "D"

    @property
    def numbers(self) -> list[float]:
        return self.settings.counts

    def of_task(self, members: "Members", nearest: np.ndarray, number: float) -> np.ndarray:
        chosen = members.whole(nearest[: int(number)])
        return np.mean([*chosen], axis=0)
