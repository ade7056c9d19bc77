"""Task arithmetic: the start plus a multiple of the mean task vector."""

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from wsl.sampling.merging.base import MERGES, Scaled
from wsl.settings.sections import PositiveFloat, Section

SCALES = [0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]  # times the mean of task vectors

if TYPE_CHECKING:
    from wsl.sampling.merging._members import Members


class TaskArithmeticSettings(Section):
    """The merge `task-arithmetic`."""

    scales: Annotated[list[PositiveFloat], Field(min_length=1)] = Field(
        SCALES, description="multiples of the mean task vector; the best on validation tasks is used"
    )


@MERGES.register("task-arithmetic")
class TaskArithmetic(Scaled):
    """The start plus a multiple of the mean task vector (Ilharco et al. 2023)."""

    Settings = TaskArithmeticSettings
    label, marker = "task arithmetic", "v"

    def vector(self, members: "Members") -> np.ndarray:
        return members.mean - members.start
