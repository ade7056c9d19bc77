"""Accuracy on held-out tasks, and agreement of reconstructions, by the number of training members."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from wsl.evaluation.growth import SEEDS
from wsl.figures.dots import axis_range, unit
from wsl.figures.methods import KINDS, kinds_in, method, uses_zoo
from wsl.figures.style import COLUMN, draw_intervals, place_axes, placed_figure, save

FIGURE = {
    "title": "accuracy by the number of members",
    "category": "Sampling",
    "order": 4,
    "inputs": lambda run: {"table": run.paths.measured("growth")},
    "when": lambda run: run.config.evaluation.growth,
}
# Inches: heights of the figure, the panels and the labels below them; widths left of the first panel and right of each.
HEIGHT, PANEL, BELOW, LEFT, RIGHT = 3.1, 2.3, 0.55, 0.5, 1.75


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw ``wsl.evaluation.growth.growth_rows``: a panel per kind of classes, and below them the reconstructions.

    Of runs with different numbers of snapshots, those with most are drawn.
    """
    rows = pd.read_csv(table).rename(columns={"value": "accuracy"}).sort_values("members")
    rows = rows[rows["sampler"].map(uses_zoo) & (rows["snapshots"] == rows["snapshots"].max())]
    held_out, decoded = (rows[rows["measure"] == measure] for measure in ("accuracy", "agreement"))
    kinds = kinds_in(set(held_out["classes"]))
    width = 2 * COLUMN if len(kinds) > 1 else LEFT + RIGHT + 2.4
    panel_width = (width - LEFT - RIGHT * len(kinds)) / len(kinds)
    height = HEIGHT * (1 if decoded.empty else 2)
    figure = placed_figure(width, height)
    for place, kind in enumerate(kinds):
        left = LEFT + place * (panel_width + RIGHT)
        axes = place_axes(figure, left, height - HEIGHT + BELOW, panel_width, PANEL)
        axes.set_ylim(axis_range(held_out))
        _panel(axes, held_out[held_out["classes"] == kind])
        axes.set_title(KINDS[kind].capitalize(), loc="left", fontweight="bold")
        axes.tick_params(labelleft=place == 0)
    figure.axes[0].set_ylabel("accuracy on test images, %")
    if len(decoded):
        axes = place_axes(figure, LEFT, BELOW, panel_width, PANEL)
        axes.set_ylim(axis_range(decoded))
        _panel(axes, decoded)
        axes.set_title("Held-out members", loc="left", fontweight="bold")
        axes.set_ylabel("agreement of reconstructions, %")
    note = f"training members (bars: 95 % intervals over {_unit(held_out)})"
    figure.text(0.5, 0.12 / height, note, ha="center", fontsize=8)
    save(figure, pdf, png)


def _unit(rows: pd.DataFrame) -> str:
    """Return the number and unit of samples in intervals: ``3 zoo seeds``, or see ``wsl.figures.dots.unit``."""
    if (rows["unit"] != SEEDS).any():
        return unit(rows)
    counts = sorted({*rows["zoo_seeds"]})
    return f"{' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))} {SEEDS}"


def _panel(axes: Axes, whole: pd.DataFrame) -> None:
    members, count = sorted(whole["members"].unique()), whole["sampler"].nunique()
    axes.set_xscale("log", base=2)
    axes.set_xticks(members, [f"{count:,}" for count in members])
    axes.minorticks_off()
    ends = []
    for place, (name, rows) in enumerate(whole.groupby("sampler", sort=False)):
        look, rows = method(name), rows.drop_duplicates("members")
        shift = 0.03 * (place % 5 - min(count - 1, 4) / 2)  # so that intervals do not overlap
        x = rows["members"] * 2**shift
        percent = 100 * rows[["accuracy", "low", "high"]]
        draw_intervals(
            axes, x, percent, "accuracy", color=look.colour, marker=look.marker, ls=look.line, ms=3,
            lw=1.6 if look.kind == "sampler" else 1, elinewidth=0.8, label=look.label,
        )  # fmt: skip
        ends.append((x.iloc[-1], percent["accuracy"].iloc[-1], look.label, look.colour))
    _label_ends(axes, ends)


def _label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write labels right of the ends of lines (x, y, label, colour), each joined to its end by a thin line."""
    low, high = axes.get_ylim()
    places = spread([y for _, y, _, _ in ends], 0.125 * (high - low) / PANEL, low, high)
    for (x, y, label, colour), place in zip(ends, places, strict=True):
        line = {"arrowstyle": "-", "lw": 0.5, "color": colour, "shrinkA": 0, "shrinkB": 2, "relpos": (0, 0.5)}
        axes.annotate(
            label, (x, y), (1.07, (place - low) / (high - low)), textcoords="axes fraction", va="center", fontsize=7,
            color=colour, arrowprops=line, annotation_clip=False,
        )  # fmt: skip


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Return places from ``low`` to ``high``, as close to the wanted ones as possible (least squares), in their order.

    They are at least ``gap`` apart, unless that does not fit; then they are evenly spaced.
    """
    order = np.argsort(wanted, kind="stable")
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    # Without the gaps below them, places must only ascend: isotonic regression, by its max-min formula.
    steps, count = gap * np.arange(len(wanted)), len(wanted)
    targets = np.asarray(wanted, dtype=float)[order] - steps
    ascending = [
        max(min(targets[first : last + 1].mean() for last in range(i, count)) for first in range(i + 1))
        for i in range(count)
    ]
    places = np.empty(count)
    places[order] = np.clip(ascending, low, high - gap * (count - 1)) + steps
    return places
