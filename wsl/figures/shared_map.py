"""A map of the shared space: weights and (D, R) pairs, by class, accuracy and epoch."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, SymLogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wsl.figures.palette import GREY
from wsl.figures.style import COLUMN, save

MARKERS = {"weights": "o", "pair": "^"}
NAMES = {"weights": "W", "pair": "(D, R)"}
NAMED = 10  # more classes than that have colours but no legend


def draw(points: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw three panels of one map; held-out snapshots large and joined to their pairs, training ones small.

    Args:
        points: CSV, see ``wsl.evaluation.shared_map``.
        pdf: vector file to write.
        png: bitmap to write.
    """
    table = pd.read_csv(points).dropna(subset=["x", "y"])
    figure = Figure(figsize=(2 * COLUMN, 3.1))
    by_class, by_accuracy, by_epoch = figure.subplots(1, 3)
    classes = sorted(table["superclass"].astype(str).unique())
    palette = matplotlib.colormaps["tab10" if len(classes) <= NAMED else "gist_rainbow"]
    colours = [palette(i if len(classes) <= NAMED else i / len(classes)) for i in range(len(classes))]
    of_class = np.array([colours[classes.index(str(name))] for name in table["superclass"]])
    _panel(by_class, table, of_class, f"kind of the task's first class ({len(classes)})")
    accuracies, epochs = table["accuracy"], table["epoch"]
    scales = (
        (by_accuracy, accuracies, "validation accuracy", Normalize(accuracies.min(), accuracies.max()), "viridis"),
        (by_epoch, epochs, "epoch", SymLogNorm(1, vmin=0, vmax=max(epochs.max(), 1), base=2), "plasma"),
    )
    for axes, values, title, norm, name in scales:
        shades = matplotlib.cm.ScalarMappable(norm, name)
        _panel(axes, table, shades.to_rgba(values.to_numpy()), title)
        bar = figure.colorbar(shades, ax=axes, orientation="horizontal", aspect=30, pad=0.06)
        bar.solids.set(rasterized=False, edgecolor="face")
        if axes is by_epoch:
            bar.set_ticks(sorted({0, 1, *(e for e in (2, 4, 8, 16, 32, 64, 128, 256) if e <= norm.vmax)}))
            bar.ax.xaxis.set_major_formatter("{x:g}")
            bar.ax.minorticks_off()
    kinds = [
        Line2D([], [], ls="", marker=m, ms=4, mfc="none", color="black", label=NAMES[k]) for k, m in MARKERS.items()
    ]
    shown = zip(classes, colours, strict=True) if len(classes) <= NAMED else ()
    named = [Line2D([], [], ls="", marker="s", ms=4, color=colour, label=name) for name, colour in shown]
    # A scale that is not seen, so that all maps are of one size.
    figure.colorbar(shades, ax=by_class, orientation="horizontal", aspect=30, pad=0.06).ax.set_visible(False)
    spacing = {"ncols": 6, "columnspacing": 1.2, "handletextpad": 0.1}
    figure.legend(handles=[*kinds, *named], loc="outside lower center", **spacing)
    save(figure, pdf, png)


def _panel(axes: Axes, table: pd.DataFrame, colours: np.ndarray, title: str) -> None:
    held_out = (table["part"] != "train").to_numpy()
    places = table[held_out].pivot_table(index=["part", "member", "snapshot"], columns="kind", values=["x", "y"])
    both = places.dropna().to_numpy().reshape(-1, 2, 2).transpose(0, 2, 1)  # snapshots, kinds, (x, y)
    axes.add_collection(LineCollection(both, colors=GREY, linewidths=0.3, alpha=0.5, zorder=1))
    for kind, marker in MARKERS.items():
        for part, size, alpha, zorder in ((~held_out, 4, 0.4, 2), (held_out, 11, 0.95, 3)):
            chosen = part & (table["kind"] == kind).to_numpy()
            axes.scatter(
                table["x"][chosen], table["y"][chosen], c=colours[chosen], s=size, alpha=alpha, marker=marker,
                linewidths=0.3, edgecolors="black" if part is held_out else "none", zorder=zorder,
            )  # fmt: skip
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[["left", "bottom"]].set_visible(False)
