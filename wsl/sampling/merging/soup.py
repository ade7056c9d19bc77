"""The uniform soup: the mean of all members."""

from typing import TYPE_CHECKING

import numpy as np

from wsl.sampling.merging.base import MERGES, Merge

if TYPE_CHECKING:
    from wsl.sampling.merging._members import Members


@MERGES.register("soup")
class Soup(Merge):
    """The mean of all members (Wortsman et al. 2022)."""

    label, marker = "soup", "o"

    def body(self, members: "Members", number: float | None) -> np.ndarray:
        return members.mean
