"""Accuracies as sorted dots with intervals: one row per method, samplers in colour and baselines in grey."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from wsl.figures.methods import KINDS, kinds_in, method
from wsl.figures.style import COLUMN, place_axes, placed_figure, row_axes
from wsl.zoo.few_sets import MEMBERS, SETS

ACROSS = ("trained", "reconstructed", "start")  # references, drawn as lines across all rows
# Inches: heights of a row, of the titles above a block, and of the legend below all blocks; width of the values at the
# right; gaps between blocks and between panels.
ROW, TITLES, BELOW, VALUES, BLOCK_GAP, PANEL_GAP = 0.155, 0.24, 0.68, 0.42, 0.12, 0.1


def read_accuracies(table: str | Path) -> pd.DataFrame:
    """Return the rows of the table's own run, without those of the runs that are compared with it."""
    accuracies = pd.read_csv(table, dtype={"images": str})
    return accuracies[accuracies["run"] == accuracies["run"].iloc[0]]


def unit(rows: pd.DataFrame) -> str:
    """Return the number and unit of samples in intervals: ``24 sets of classes``, or tasks in tables without sets.

    Rows of several runs may have several units: ``24 sets of classes or 180 members``.
    """
    units = rows["unit"].fillna(SETS) if "unit" in rows else pd.Series(SETS, index=rows.index)
    return " or ".join(_counted(group, name) for name, group in rows.groupby(units, sort=False))


def _counted(rows: pd.DataFrame, unit: str) -> str:
    name, what = "tasks", unit if unit == MEMBERS else "tasks"
    if unit == SETS and "sets" in rows and rows["sets"].notna().any():
        name, what = "sets", SETS
    counts = sorted({int(count) for count in rows[name].dropna()})
    return f"{' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))} {what}"


def axis_start(rows: pd.DataFrame) -> float:
    """Return the start of an axis of accuracies in per cent: 3 below the lowest value."""
    return max(100 * np.nanmin([*rows["low"], *rows["accuracy"]]) - 3, 0)


def axis_range(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the ends of an axis of accuracies in per cent: ``axis_start``, and 3 above the highest value."""
    return axis_start(rows), min(100 * np.nanmax([*rows["high"], *rows["accuracy"]]) + 3, 101)


def dots(accuracies: pd.DataFrame, column: str, panels: Mapping[Hashable, str], references: pd.DataFrame) -> Figure:
    """Return a figure with one block of rows per kind of held-out tasks, and in it one panel per value of a column.

    Args:
        accuracies: the rows to draw, of one run.
        column: the column.
        panels: title of each panel by its value of the column, from left to right; each block is sorted by the last.
        references: rows of the methods that are drawn as lines through all panels of their kind.
    """
    blocks = {kind: accuracies[accuracies["classes"] == kind] for kind in kinds_in(set(accuracies["classes"]))}
    orders = {kind: _order(rows, column, list(panels)) for kind, rows in blocks.items()}
    chosen = set(accuracies.loc[accuracies["chosen"], "sampler"])
    heights = [TITLES + ROW * len(order) for order in orders.values()]
    width, height = 2 * COLUMN, sum(heights) + BLOCK_GAP * (len(blocks) - 1) + BELOW
    figure = placed_figure(width, height)
    headings = {kind: KINDS[kind].capitalize() for kind in blocks}
    left = label_room(figure, {name for order in orders.values() for name in order}, headings.values())
    panel_width = (width - left - VALUES - PANEL_GAP * (len(panels) - 1)) / len(panels)
    ends = axis_range(pd.concat([accuracies, references.assign(low=np.nan, high=np.nan)]))
    top = height
    for (kind, rows), order in zip(blocks.items(), orders.values(), strict=True):
        block_height = ROW * len(order)
        figure.text(0.04 / width, (top - TITLES + 0.05) / height, headings[kind], fontsize=8, fontweight="bold")
        for place, (value, title) in enumerate(panels.items()):
            at = (left + place * (panel_width + PANEL_GAP), top - TITLES - block_height)
            axes = place_axes(figure, *at, panel_width, block_height)
            panel = rows[rows[column] == value].drop_duplicates("sampler").set_index("sampler")
            for name in ACROSS:
                lines = references[(references["classes"] == kind) & (references["sampler"] == name)]
                for accuracy in lines["accuracy"].head(1):
                    axes.axvline(100 * accuracy, color=method(name).colour, ls=method(name).line, lw=1, zorder=1)
            draw_rows(axes, panel, order, chosen, named=place == 0, values=place == len(panels) - 1)
            axes.set_title(title, pad=3)
            axes.set_xlim(ends)
            axes.xaxis.set_major_locator(MaxNLocator(4 if panel_width > 1 else 3))
            axes.tick_params(labelbottom=kind == list(blocks)[-1])
        top -= TITLES + block_height + BLOCK_GAP
    middle = (left + (width - left - VALUES) / 2) / width
    below = f"accuracy on test images, % (bars: 95 % intervals over {unit(accuracies)})"
    figure.text(middle, 0.42 / height, below, ha="center", va="top", fontsize=8)
    looks = [method(name) for name in ACROSS if name in set(references["sampler"])]
    lines = [Line2D([], [], color=look.colour, ls=look.line, lw=1, label=look.label) for look in looks]
    figure.legend(handles=lines, loc="lower center", bbox_to_anchor=(middle, 0.0), ncols=len(ACROSS))
    return figure


def draw_rows(
    axes: Axes, rows: pd.DataFrame, order: Sequence[str], chosen: set[str], named: bool = True, values: bool = True
) -> None:
    """Draw accuracies and their intervals, in per cent, from the lowest row up.

    Args:
        axes: where to draw.
        rows: ``accuracy``, ``low`` and ``high`` by method; a missing method has an empty row.
        order: methods of all rows.
        chosen: methods whose text is bold.
        named: whether to write names at the left, in the methods' colours.
        values: whether to write accuracies at the right, in the same colours.
    """
    row_axes(axes, [method(name).label if named else "" for name in order])
    _colour(axes.get_yticklabels(), order, chosen)
    place = {"xycoords": ("axes fraction", "data"), "annotation_clip": False, "va": "center", "fontsize": 7}
    for row, name in enumerate(order):
        if name not in rows.index:
            continue
        point, look = 100 * rows.loc[name, ["accuracy", "low", "high"]].astype(float), method(name)
        bar = [[point["accuracy"] - point["low"]], [point["high"] - point["accuracy"]]]
        axes.errorbar(
            point["accuracy"], row, xerr=bar, fmt=look.marker, ms=3.4, color=look.colour, elinewidth=1.1,
            label=look.label, zorder=3,
        )  # fmt: skip
        if values:
            _colour([axes.annotate(f"{point['accuracy']:.1f}", (1.04, row), **place)], [name], chosen)


def _colour(texts: Sequence[Text], names: Sequence[str], chosen: set[str]) -> None:
    for text, name in zip(texts, names, strict=True):
        text.set(color=method(name).colour, fontweight="bold" if name in chosen else "normal")


def _order(rows: pd.DataFrame, column: str, values: list[Hashable]) -> list[str]:
    """Return the methods from the least to the most accurate, each at its last value of the column."""
    last = rows.assign(place=rows[column].map(values.index)).sort_values("place", kind="stable")
    return last.drop_duplicates("sampler", keep="last").sort_values(["accuracy", "sampler"])["sampler"].tolist()


def label_room(figure: Figure, names: Iterable[str], titles: Iterable[str]) -> float:
    """Return the width that row labels and titles of blocks need, in inches."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = [figure.text(0, 0, method(name).label, fontsize=7, fontweight="bold") for name in names]
    texts += [figure.text(0, 0, title, fontsize=8, fontweight="bold") for title in titles]
    wide = max(text.get_window_extent(renderer).width for text in texts) / figure.dpi
    for text in texts:
        text.remove()
    return wide + 0.14
