"""Task arithmetic: the start plus a multiple of the mean task vector."""

from typing import TYPE_CHECKING

import numpy as np

from wsl.sampling.merging.base import MERGES, Scaled

if TYPE_CHECKING:
    from wsl.sampling.merging._members import Members


@MERGES.register("task-arithmetic")
class TaskArithmetic(Scaled):
    """The start plus a multiple of the mean task vector (Ilharco et al. 2023)."""

    label, marker = "task arithmetic", "v"

    def vector(self, members: "Members") -> np.ndarray:
        return members.mean - members.start
