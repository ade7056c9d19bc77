"""One look for all figures: small, colour-blind safe, vector PDF and PNG."""

from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsl.figures.palette import TRAIN, VALIDATION
from wsl.files import written_whole

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
    """Write a figure as PDF and PNG, without dates, so that equal figures are equal files.

    Args:
        figure: the figure.
        pdf: vector file to write.
        png: bitmap to write.
    """
    for path, options in ((pdf, {"metadata": {"CreationDate": None}}), (png, {"dpi": 200})):
        with written_whole(path) as beside:
            figure.savefig(beside, format=Path(path).suffix[1:], **options)


def losses(axes: Axes, history: pd.DataFrame, chance: bool = False) -> None:
    """Draw training and validation loss against epochs, and mark the state that was kept; the legend is beside.

    Args:
        axes: the only axes of their figure.
        history: with ``epoch``, ``train_loss``, ``validation_loss``, ``kept`` and, for ``chance``, ``train_chance``
            and ``validation_chance``.
        chance: whether to draw the losses of embeddings that distinguish nothing.
    """
    for part, colour in (("train", TRAIN), ("validation", VALIDATION)):
        axes.plot(history["epoch"], history[f"{part}_loss"], color=colour, label=part)
        if chance:
            axes.axhline(history[f"{part}_chance"].iloc[0], color=colour, lw=0.8, ls=":", label=f"{part}, chance")
    best = history.loc[history["kept"]]
    axes.plot(best["epoch"], best["validation_loss"], "o", ms=4, mfc="none", color="black", label="kept")
    axes.set_xlabel("epoch")
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")  # lines cross all of the axes
