"""The zoo at a glance: learning curves, accuracies and losses of its snapshots."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterMathtext, LogLocator, MaxNLocator, NullFormatter

from wsl.figures.palette import BLUE, ORANGE
from wsl.figures.style import COLUMN, save

FIGURE = {
    "title": "the zoo: learning curves, accuracies, losses",
    "category": "Zoo",
    "inputs": lambda run: {"members": run.paths.table("members"), "history": run.paths.zoo_history},
    "needs_images": False,
}
COLOURS = {"early": ORANGE, "max": BLUE}
SUFFIX = "_validation_loss"


def snapshots_of(members: pd.DataFrame) -> dict[str, str]:
    """Return the snapshots in a table of members, in the order of training, and their colours."""
    names = [column.removesuffix(SUFFIX) for column in members if column.endswith(SUFFIX)]
    numbered = sorted((name for name in names if name not in COLOURS), key=lambda name: int(name.removeprefix("epoch")))
    shades = colormaps["Greys"](np.linspace(0.3, 0.8, len(numbered)))
    colours = dict(zip(numbered, map(to_hex, shades), strict=True))
    return colours | {name: colour for name, colour in COLOURS.items() if name in names}


def draw(members: str | Path, history: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw validation curves of all members, and the distributions of their snapshots' accuracy and loss.

    ``members`` has one row per member, and ``history`` one per member and epoch, see ``wsl.zoo.overview``.
    """
    table, curves = pd.read_csv(members), pd.read_csv(history)
    snapshots = snapshots_of(table)
    figure = Figure(figsize=(2 * COLUMN, 2.3))
    curve_axes, accuracy_axes, loss_axes = figure.subplots(1, 3)
    for _, curve in curves.groupby("member"):
        curve_axes.plot(curve["epoch"], curve["validation_accuracy"], color="black", alpha=0.12, lw=0.7)
    median = curves.groupby("epoch")["validation_accuracy"].median()
    curve_axes.plot(median, color=BLUE, label="median")
    curve_axes.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1.02))
    curve_axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    curve_axes.legend(loc="lower right")
    losses = np.concatenate([table[snapshot + SUFFIX].dropna() for snapshot in snapshots])
    bins = np.geomspace(max(losses.min(), 1e-6), losses.max(), 25)
    for snapshot, colour in snapshots.items():
        look = {"color": colour, "alpha": 0.65, "label": snapshot}
        accuracy_axes.hist(table[f"{snapshot}_validation_accuracy"].dropna(), bins=np.linspace(0, 1, 26), **look)
        loss_axes.hist(table[snapshot + SUFFIX].dropna(), bins=bins, **look)
    for axes in (accuracy_axes, loss_axes):
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    accuracy_axes.set(xlabel="validation accuracy", ylabel="snapshots")
    loss_axes.set(xlabel="validation loss, nats", xscale="log")
    short = losses.max() / losses.min() < 100  # powers of ten alone would leave one or two ticks
    loss_axes.xaxis.set_major_locator(LogLocator(subs=(1, 3) if short else (1,)))
    loss_axes.xaxis.set_major_formatter("{x:g}" if short else LogFormatterMathtext())
    loss_axes.xaxis.set_minor_formatter(NullFormatter())
    handles, labels = loss_axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=min(len(labels), 8), title="snapshot")
    save(figure, pdf, png)
