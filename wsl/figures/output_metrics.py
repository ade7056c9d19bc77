"""Figure 4.1b: outputs of held-out models against their reconstructions, over the autoencoder's training."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.style import BLUE, COLUMN, GREEN, ORANGE, save

METRICS = {"agreement": (BLUE, "o"), "cosine": (ORANGE, "s"), "correlation": (GREEN, "^")}


def draw(measured: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw means over held-out snapshots, with the middle half of them shaded."""
    table = pd.read_csv(measured)
    figure = Figure(figsize=(COLUMN, 2.4))
    axes = figure.subplots()
    for metric, (colour, marker) in METRICS.items():
        groups = table.groupby("epoch")[metric]
        axes.plot(groups.mean(), color=colour, marker=marker, ms=3, label=metric)
        axes.fill_between(
            groups.mean().index, groups.quantile(0.25), groups.quantile(0.75), color=colour, alpha=0.15, lw=0
        )
    axes.set_xscale("symlog", linthresh=1)
    axes.set_ylim(-1.05, 1.05)
    axes.set_xlabel("epoch of the autoencoder")
    axes.set_ylabel("on synthetic images")
    axes.legend(loc="lower right")
    save(figure, pdf, png)
