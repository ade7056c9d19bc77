"""The style of all figures: small, as vector PDF and PNG; and parts of axes that several figures share."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.backends.backend_agg
import matplotlib.backends.backend_pdf  # otherwise each job that draws a figure imports it by itself
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsl.figures.palette import CHANCE, TRAIN, VALIDATION
from wsl.files.atomic import written_whole

matplotlib.use("Agg")
COLUMN = 3.4  # inches: a column of a two-column page
matplotlib.rcParams.update(
    {
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": 8,
        "legend.fontsize": 7,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 1.4,
        "legend.frameon": False,
        "pdf.fonttype": 42,
        "figure.constrained_layout.use": True,
    }
)


def save(figure: Figure, pdf: str | Path, png: str | Path) -> None:
    """Write a figure as PDF and PNG, without dates, so that equal figures are equal files."""
    for path, options in ((pdf, {"metadata": {"CreationDate": None}}), (png, {"dpi": 200})):
        with written_whole(path) as temporary:
            figure.savefig(temporary, format=Path(path).suffix[1:], **options)


def placed_figure(width: float, height: float) -> Figure:
    """Return a figure whose axes ``place_axes`` places, for aligned panels; sizes in inches."""
    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("none")
    return figure


def place_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes at a place in inches from the lower left corner of the figure."""
    scale = np.tile(figure.get_size_inches(), 2)
    return figure.add_axes(tuple(np.divide((left, bottom, width, height), scale)))


def row_axes(axes: Axes, labels: Sequence[str]) -> None:
    """Set up axes with one row per label, from the lowest row up: faint grid lines, no ticks, no left spine."""
    axes.grid(axis="y", color="#EEEEEE", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(axis="y", length=0)


def draw_intervals(
    axes: Axes, x: pd.Series, rows: pd.DataFrame, mean: str, bounds: Sequence[str] = ("low", "high"), **look: Any
) -> None:
    """Draw means and intervals at ``x``, from the columns of the means and of both bounds; see ``errorbar``."""
    low, high = bounds
    reach = [rows[mean] - rows[low], rows[high] - rows[mean]]
    axes.errorbar(x, rows[mean], reach, **look)


def chance_line(axes: Axes, value: float, label: str = "chance", vertical: bool = False) -> None:
    """Draw the level of chance, below everything else; ``vertical`` where values are on the horizontal axis."""
    draw = axes.axvline if vertical else axes.axhline
    draw(value, color=CHANCE, lw=0.8, ls="--", label=label, zorder=0.5)


def losses(history: pd.DataFrame, label: str, chance: bool = False) -> Figure:
    """Return a figure of training and validation loss by epoch, with a ring around the kept state.

    Args:
        history: ``epoch``, ``train_loss``, ``validation_loss``, ``kept``; for ``chance`` also ``train_chance`` and
            ``validation_chance``, the losses of embeddings that distinguish nothing.
        label: name and unit of the loss.
        chance: whether to draw the losses at chance.
    """
    figure = Figure(figsize=(1.4 * COLUMN, 2.4))
    axes = figure.subplots()
    for part, colour in (("train", TRAIN), ("validation", VALIDATION)):
        axes.plot(history["epoch"], history[f"{part}_loss"], color=colour, label=part)
        if chance:
            axes.axhline(history[f"{part}_chance"].iloc[0], color=colour, lw=0.8, ls=":", label=f"{part}, chance")
    best = history.loc[history["kept"]]
    axes.plot(best["epoch"], best["validation_loss"], "o", ms=4, mfc="none", color="black", label="kept")
    axes.set(xlabel="epoch", ylabel=label)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")  # lines cross all of the axes
    return figure


def parts_in(table: pd.DataFrame, parts: Iterable[str]) -> list[str]:
    """Return the parts of the zoo that have rows in a table, in the order given."""
    return [part for part in parts if part in set(table["part"])]
