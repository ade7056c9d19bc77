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

FIGURE = {
    "title": "map of the shared space",
    "category": "Shared space",
    "order": 4,
    "inputs": lambda run: {"points": run.paths.measured("shared_map")},
    "when": lambda run: run.config.evaluation.properties,
}
MARKERS = {"weights": ("o", "W"), "pair": ("^", "(D, R)")}
SIZES = {"train": ("training", 2), "held out": ("held out", 3.4)}  # diameters in points
NAMED = 10  # with more classes, colours have no legend
BAR = {"orientation": "horizontal", "aspect": 30, "pad": 0.06}
EPOCHS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)


def draw(points: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw three panels of the map of ``wsl.evaluation.shared_map``; every snapshot is a point.

    Held-out snapshots are large and joined to their pairs, training snapshots small.
    """
    table = pd.read_csv(points).dropna(subset=["x", "y"])
    figure = Figure(figsize=(2 * COLUMN, 3.1))
    by_class, by_accuracy, by_epoch = figure.subplots(1, 3)
    classes = sorted(table["superclass"].astype(str).unique())
    palette = matplotlib.colormaps["tab10" if len(classes) <= NAMED else "gist_rainbow"]
    colours = {name: palette(i if len(classes) <= NAMED else i / len(classes)) for i, name in enumerate(classes)}
    of_class = np.array([colours[str(name)] for name in table["superclass"]])
    _panel(by_class, table, of_class, f"kind of the task's first class ({len(classes)})")
    accuracies, epochs = table["accuracy"], table["epoch"]
    last = max(epochs.max(), 1)
    scales = (
        (by_accuracy, accuracies, "validation accuracy", Normalize(accuracies.min(), accuracies.max()), "viridis"),
        (by_epoch, epochs, "epoch", SymLogNorm(1, vmin=0, vmax=last, base=2), "plasma"),
    )
    for axes, values, title, norm, name in scales:
        shades = matplotlib.cm.ScalarMappable(norm, name)
        _panel(axes, table, shades.to_rgba(values.to_numpy()), title)
        bar = figure.colorbar(shades, ax=axes, **BAR)
        bar.solids.set(rasterized=False, edgecolor="face")
    bar.set_ticks([epoch for epoch in EPOCHS if epoch <= last])
    bar.ax.xaxis.set_major_formatter("{x:g}")
    bar.ax.minorticks_off()
    # The classes are placed where the other panels have their scales, so that all maps have the same size.
    key = figure.colorbar(shades, ax=by_class, **BAR).ax
    key.clear()
    key.axis("off")
    if len(classes) <= NAMED:
        named = [Line2D([], [], ls="", marker="s", ms=4, color=colours[name], label=name) for name in classes]
        columns = 5 if max(map(len, classes)) < 4 else 2
        key.legend(handles=named, loc="upper center", ncols=columns, columnspacing=0.8, handletextpad=0.0)
    look = {"ls": "", "mfc": "none", "color": "black"}
    marks = [Line2D([], [], marker=marker, ms=4, label=label, **look) for marker, label in MARKERS.values()]
    marks += [Line2D([], [], marker="s", ms=size, label=label, **look) for label, size in SIZES.values()]
    figure.legend(handles=marks, loc="outside lower center", ncols=4, columnspacing=1.2, handletextpad=0.1)
    save(figure, pdf, png)


def _panel(axes: Axes, table: pd.DataFrame, colours: np.ndarray, title: str) -> None:
    held_out = (table["part"] != "train").to_numpy()
    places = table[held_out].pivot_table(index=["part", "member", "snapshot"], columns="kind", values=["x", "y"])
    both = places.dropna().to_numpy().reshape(-1, 2, 2).transpose(0, 2, 1)  # snapshots, kinds, (x, y)
    axes.add_collection(LineCollection(both, colors=GREY, linewidths=0.3, alpha=0.5, zorder=1))
    groups = (
        (~held_out, {"s": SIZES["train"][1] ** 2, "alpha": 0.4, "edgecolors": "none", "zorder": 2}),
        (held_out, {"s": SIZES["held out"][1] ** 2, "alpha": 0.95, "edgecolors": "black", "zorder": 3}),
    )
    for kind, (marker, _) in MARKERS.items():
        for part, look in groups:
            chosen = part & (table["kind"] == kind).to_numpy()
            x, y = table["x"][chosen], table["y"][chosen]
            axes.scatter(x, y, c=colours[chosen], marker=marker, linewidths=0.3, **look)
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[["left", "bottom"]].set_visible(False)
