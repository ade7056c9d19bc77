"""Outcome bins: validation losses quantised by the training members' range (section 3.2.3)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from wsl.files.plain import read_json, write_json
from wsl.settings.sections import PositiveInt, Section
from wsl.zoo.index import open_zoo


class Outcomes(Section):
    """The results encoder (section 3.2.3)."""

    bins: PositiveInt = Field(10, description="number of outcome bins")
    spacing: Literal["equal-width", "quantiles"] = Field(
        "equal-width", description="edges of the bins: at equal distances, or at quantiles of the training losses"
    )
    interpolate: bool = Field(
        False,
        description="mix the embeddings of the two nearest bins, so that R is continuous; otherwise each loss is "
        "represented by its bin (the thesis)",
    )


@dataclass(frozen=True)
class OutcomeBins:
    """Bins of validation losses.

    Attributes:
        edges: ascending (bins + 1,), nats; losses outside fall into the first or last bin.
        counts: training snapshots in each bin (bins,).
        interpolate: whether losses have positions between bins, see ``position``.
    """

    edges: np.ndarray
    counts: np.ndarray
    interpolate: bool = False

    def bin(self, losses: np.ndarray) -> np.ndarray:
        """Return the bin, 0 to bins - 1, of each loss."""
        return np.digitize(losses, self.edges[1:-1])

    @property
    def centres(self) -> np.ndarray:
        """The middle of each bin (bins,), nats."""
        return (self.edges[:-1] + self.edges[1:]) / 2

    def position(self, losses: np.ndarray) -> np.ndarray:
        """Return the positions of losses on the axis of bins: the bins, int64 (the thesis).

        With ``interpolate``, float32: i at the centre of bin i, linear between two centres, and constant beyond the
        first and last centre.
        """
        if not self.interpolate:
            return self.bin(losses)
        return np.interp(losses, self.centres, np.arange(len(self.centres))).astype(np.float32)

    @property
    def best(self) -> int:
        """The lowest bin that a training snapshot reached."""
        return int(np.flatnonzero(self.counts)[0])

    def requested(self, outcome: str | float) -> int:
        """Return the bin of a requested outcome: ``best`` or a validation loss."""
        return self.best if outcome == "best" else int(self.bin(np.array(outcome)))

    def requested_loss(self, outcome: str | float) -> float:
        """Return the validation loss of a requested outcome, nats; ``best`` means the centre of the best bin."""
        return float(self.centres[self.best]) if outcome == "best" else float(outcome)


def fit_bins(losses: np.ndarray, bins: int, spacing: str) -> OutcomeBins:
    """Return bins fitted to validation losses (n,), nats: ``equal-width`` over their range, or ``quantiles``."""
    if spacing == "quantiles":
        edges = np.quantile(losses, np.linspace(0, 1, bins + 1))
    else:
        edges = np.linspace(losses.min(), losses.max(), bins + 1)
    counts = np.bincount(np.digitize(losses, edges[1:-1]), minlength=bins)
    return OutcomeBins(edges, counts)


def write_bins(index: str | Path, out: str | Path, settings: Outcomes) -> None:
    """Fit bins to the snapshots of an index, that of the training members, and write them as JSON."""
    with open_zoo(index) as zoo:
        fitted = fit_bins(zoo.snapshots["validation_loss"].to_numpy(), settings.bins, settings.spacing)
    content = {"edges": fitted.edges.tolist(), "counts": fitted.counts.tolist(), "interpolate": settings.interpolate}
    write_json(out, content)


def read_bins(path: str | Path) -> OutcomeBins:
    """Return the bins that ``write_bins`` wrote."""
    content = read_json(path)
    return OutcomeBins(np.array(content["edges"]), np.array(content["counts"]), content["interpolate"])
