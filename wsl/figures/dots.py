"""Accuracies as sorted dots with intervals: a row per method, samplers in colour and baselines in grey."""

from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from wsl.figures.methods import KINDS, method
from wsl.figures.style import COLUMN

ACROSS = ("trained", "reconstructed", "start")  # references, drawn as lines across all rows
# Inches: the height of a row, of the titles above a block and of what stands below all blocks; the width of the
# values at the right; the gaps between blocks and between panels.
ROW, TITLES, BELOW, VALUES, BLOCK_GAP, PANEL_GAP = 0.155, 0.24, 0.68, 0.42, 0.12, 0.1


def own_rows(accuracies: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the run that the table belongs to, without those of the runs beside it."""
    return accuracies[accuracies["run"] == accuracies["run"].iloc[0]]


def kinds_in(accuracies: pd.DataFrame) -> list[str]:
    """Return which kinds of held-out tasks a table has: ``seen``, ``unseen`` or both."""
    return [kind for kind in KINDS if kind in set(accuracies["classes"])]


def unit(rows: pd.DataFrame) -> str:
    """Return what intervals are over, for example ``24 sets of classes``; tables without such sets count tasks."""
    name, what = ("sets", "sets of classes") if "sets" in rows and rows["sets"].notna().any() else ("tasks", "tasks")
    counts = sorted({int(count) for count in rows[name].dropna()})
    return f"{' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))} {what}"


def dots(accuracies: pd.DataFrame, column: str, panels: Mapping[Hashable, str], references: pd.DataFrame) -> Figure:
    """Draw a block of rows per kind of held-out tasks, and in it a panel per value of a column.

    Args:
        accuracies: the rows to draw, of one run.
        column: name of the column that the panels of a block differ in.
        panels: title of each panel by its value of that column, from left to right; each block is sorted by the last.
        references: rows of the methods that are drawn as lines through all panels of their kind.
    """
    blocks = {kind: accuracies[accuracies["classes"] == kind] for kind in kinds_in(accuracies)}
    orders = {kind: _order(rows, column, list(panels)) for kind, rows in blocks.items()}
    chosen = set(accuracies.loc[accuracies["chosen"], "sampler"])
    heights = [TITLES + ROW * len(order) for order in orders.values()]
    width, height = 2 * COLUMN, sum(heights) + BLOCK_GAP * (len(blocks) - 1) + BELOW
    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("none")  # places are set here, so that the panels of all blocks stand in line
    headings = {kind: KINDS[kind].capitalize() for kind in blocks}
    left = label_room(figure, {name for order in orders.values() for name in order}, headings.values())
    each = (width - left - VALUES - PANEL_GAP * (len(panels) - 1)) / len(panels)
    floor = np.nanmin([*accuracies["low"], *accuracies["accuracy"], *references["accuracy"]])
    top = height
    for (kind, rows), order in zip(blocks.items(), orders.values(), strict=True):
        tall = ROW * len(order)
        figure.text(0.04 / width, (top - TITLES + 0.05) / height, headings[kind], fontsize=8, fontweight="bold")
        for place, (value, title) in enumerate(panels.items()):
            at = (left + place * (each + PANEL_GAP), top - TITLES - tall, each, tall)
            axes = figure.add_axes(tuple(np.divide(at, (width, height, width, height))))
            own = rows[rows[column] == value].drop_duplicates("sampler").set_index("sampler")
            _panel(axes, own, order, references[references["classes"] == kind])
            axes.set_title(title, pad=3)
            axes.set_xlim(max(100 * floor - 3, 0), 101)
            axes.xaxis.set_major_locator(MaxNLocator(4 if each > 1 else 3))
            axes.tick_params(labelbottom=kind == list(blocks)[-1])
            label_rows(axes, order, chosen, shown=place == 0)
        write_values(axes, own, order, chosen)  # beside the last panel
        top -= TITLES + tall + BLOCK_GAP
    middle = (left + (width - left - VALUES) / 2) / width
    below = f"accuracy on test images, % (bars: 95 % intervals over {unit(accuracies)})"
    figure.text(middle, 0.42 / height, below, ha="center", va="top", fontsize=8)
    looks = [method(name) for name in ACROSS if name in set(references["sampler"])]
    lines = [Line2D([], [], color=look.colour, ls=look.line, lw=1, label=look.label) for look in looks]
    figure.legend(handles=lines, loc="lower center", bbox_to_anchor=(middle, 0.0), ncols=len(ACROSS))
    return figure


def draw_rows(axes: Axes, own: pd.DataFrame, order: Sequence[str]) -> None:
    """Draw accuracies and their intervals, in per cent, from the lowest row up.

    Args:
        axes: where to draw.
        own: ``accuracy``, ``low`` and ``high`` by method; a method that is not there leaves its row empty.
        order: methods of all rows.
    """
    axes.grid(axis="y", color="#EEEEEE", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    for row, name in enumerate(order):
        if name in own.index:
            point, look = 100 * own.loc[name, ["accuracy", "low", "high"]].astype(float), method(name)
            reach = [[point["accuracy"] - point["low"]], [point["high"] - point["accuracy"]]]
            axes.errorbar(
                point["accuracy"], row, xerr=reach, fmt=look.marker, ms=3.4, color=look.colour, elinewidth=1.1,
                label=look.label, zorder=3,
            )  # fmt: skip


def label_rows(axes: Axes, order: Sequence[str], chosen: set[str], shown: bool = True) -> None:
    """Name the rows of ``draw_rows`` in the methods' colours, what is chosen in bold.

    Args:
        axes: see ``draw_rows``.
        order: methods of all rows.
        chosen: methods that stand out.
        shown: whether names are written; without them, rows are as high as in a panel with names.
    """
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_yticks(range(len(order)), [method(name).label if shown else "" for name in order])
    axes.tick_params(axis="y", length=0)
    _colour(axes.get_yticklabels(), order, chosen)


def write_values(axes: Axes, own: pd.DataFrame, order: Sequence[str], chosen: set[str]) -> None:
    """Write the accuracies of ``draw_rows`` right of the axes; see there and ``label_rows``."""
    place = {"xycoords": ("axes fraction", "data"), "annotation_clip": False, "va": "center", "fontsize": 7}
    for row, name in enumerate(order):
        if name in own.index:
            text = axes.annotate(f"{100 * own.loc[name, 'accuracy']:.1f}", (1.04, row), **place)
            _colour([text], [name], chosen)


def _panel(axes: Axes, own: pd.DataFrame, order: list[str], references: pd.DataFrame) -> None:
    for name in ACROSS:
        for value in references.loc[references["sampler"] == name, "accuracy"].head(1):
            axes.axvline(100 * value, color=method(name).colour, ls=method(name).line, lw=1, zorder=1)
    draw_rows(axes, own, order)


def _colour(texts: Sequence[Text], names: Sequence[str], chosen: set[str]) -> None:
    for text, name in zip(texts, names, strict=True):
        text.set(color=method(name).colour, fontweight="bold" if name in chosen else "normal")


def _order(rows: pd.DataFrame, column: str, values: list[Hashable]) -> list[str]:
    """Return the methods from the least to the most accurate at the last value that each of them has."""
    last = rows.assign(place=rows[column].map(values.index)).sort_values("place", kind="stable")
    return last.drop_duplicates("sampler", keep="last").sort_values(["accuracy", "sampler"])["sampler"].tolist()


def label_room(figure: Figure, names: Iterable[str], titles: Iterable[str]) -> float:
    """Return the room that row labels and titles of blocks need, in inches."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = [figure.text(0, 0, method(name).label, fontsize=7, fontweight="bold") for name in names]
    texts += [figure.text(0, 0, title, fontsize=8, fontweight="bold") for title in titles]
    wide = max(text.get_window_extent(renderer).width for text in texts) / figure.dpi
    for text in texts:
        text.remove()
    return wide + 0.14
