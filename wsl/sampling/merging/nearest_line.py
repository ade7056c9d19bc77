"""A point on the line from the start through the member with the most similar data set."""

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from wsl.sampling.merging.base import MERGES, ByTask
from wsl.settings.sections import PositiveFloat, Section

if TYPE_CHECKING:
    from wsl.sampling.merging._members import Members


class NearestLineSettings(Section):
    """The merge `nearest-line`."""

    places: Annotated[list[PositiveFloat], Field(min_length=1)] = Field(
        [0.25, 0.5, 0.75, 1.0, 1.25],
        description="places on the line, 0 at the start and 1 at the member; the best on validation tasks is used",
    )


@MERGES.register("nearest-line")
class NearestLine(ByTask):
    """A point on the line from the start through the member with the most similar data set."""

    Settings = NearestLineSettings
    label, marker = "start to nearest member", "p"
    needs_start = True

    @property
    def numbers(self) -> list[float]:
        return self.settings.places

    def of_task(self, members: "Members", nearest: np.ndarray, number: float) -> np.ndarray:
        return np.float32(members.start + number * (next(members.whole(nearest[:1])) - members.start))
