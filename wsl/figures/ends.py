"""Labels at the ends of lines, moved apart where lines end close together."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Return places that are at least ``gap`` apart and as close to the wanted ones as possible (least squares).

    Args:
        wanted: places, in any order; their order is kept.
        gap: least distance between two places.
        low: least place.
        high: highest place; if the places do not fit between both, they are closer together than ``gap``.
    """
    order = np.argsort(wanted, kind="stable")
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    # Less what the gaps below a place take, places must only ascend: isotonic regression, by pooling neighbours.
    steps = gap * np.arange(len(wanted))
    pools: list[tuple[float, int]] = []  # mean and size
    for place in np.asarray(wanted, dtype=float)[order] - steps:
        pools.append((place, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (one, count), (other, more) = pools[-2:]
            pools[-2:] = [((one * count + other * more) / (count + more), count + more)]
    ascending = np.concatenate([np.full(count, mean) for mean, count in pools])
    found = np.empty(len(wanted))
    found[order] = np.clip(ascending, low, high - gap * (len(wanted) - 1)) + steps
    return found


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]], inches: float) -> None:
    """Write labels right of the ends of lines, each with a thin line to the end that it belongs to.

    Args:
        axes: where the lines are; their limits are final.
        ends: x and y of each end, its label and its colour.
        inches: height of the axes.
    """
    low, high = axes.get_ylim()
    places = spread([y for _, y, _, _ in ends], 0.125 * (high - low) / inches, low, high)
    for (x, y, label, colour), place in zip(ends, places, strict=True):
        share = (place - low) / (high - low)
        line = {"arrowstyle": "-", "lw": 0.5, "color": colour, "shrinkA": 0, "shrinkB": 2, "relpos": (0, 0.5)}
        axes.annotate(
            label, (x, y), (1.07, share), textcoords="axes fraction", va="center", fontsize=7, color=colour,
            arrowprops=line, annotation_clip=False,
        )  # fmt: skip
