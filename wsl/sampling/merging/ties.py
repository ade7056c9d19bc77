"""TIES: the largest changes of each member, merged where their signs agree."""

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from wsl.sampling.merging.base import MERGES, Scaled, ScaledSettings

if TYPE_CHECKING:
    from wsl.sampling.merging._members import Members


class TiesSettings(ScaledSettings):
    """The merge `ties`."""

    kept: Annotated[float, Field(gt=0, le=1)] = Field(
        0.2, description="share of each task vector's numbers that is kept: the largest by absolute value"
    )


@MERGES.register("ties")
class Ties(Scaled):
    """Trim, elect signs, merge (Yadav et al. 2023, algorithm 1)."""

    Settings = TiesSettings
    label, marker = "TIES", "^"

    def vector(self, members: "Members") -> np.ndarray:
        thresholds = np.array([self._threshold(members, weights) for weights in members.whole()])
        merged = np.zeros(members.layout.size, dtype=np.float32)
        for entry in members.entries:
            changes = members.changes(entry)
            if not entry.running:
                changes = elected(np.where(np.abs(changes) >= thresholds[:, None], changes, 0))
            merged[entry.columns] = changes if changes.ndim == 1 else changes.mean(axis=0)
        return merged

    def _threshold(self, members: "Members", weights: np.ndarray) -> float:
        """Return the absolute value from which numbers of a member's task vector are kept."""
        learned = [entry.columns for entry in members.entries if not entry.running]
        sizes = np.abs(np.concatenate([weights[columns] - members.start[columns] for columns in learned]))
        return float(np.quantile(sizes, 1 - self.settings.kept))


def elected(trimmed: np.ndarray) -> np.ndarray:
    """Return the merged numbers (size,) of trimmed task vectors (members, size).

    The sign of a number is that of its sum. Its value is the mean of the task vectors that have this sign.
    """
    signs = np.sign(trimmed.sum(axis=0))
    agree = np.sign(trimmed) == signs
    agree &= signs != 0
    return np.where(agree, trimmed, 0).sum(axis=0) / np.maximum(agree.sum(axis=0), 1)
