"""Retrieval in the shared space: recall of a snapshot's own weights, and of its own (D, R)."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.palette import SEEN, UNSEEN
from wsl.figures.style import COLUMN, save

PARTS = {"test": (SEEN, "tasks of seen classes"), "unseen": (UNSEEN, "tasks of unseen classes")}
TITLES = {"pairs to weights": "(D, R) → W", "weights to pairs": "W → (D, R)"}


def draw(curves: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw recall@k against k in both directions, and chance.

    Args:
        curves: CSV, see ``wsl.evaluation.retrieval``.
        pdf: vector file to write.
        png: bitmap to write.
    """
    table = pd.read_csv(curves)
    figure = Figure(figsize=(2 * COLUMN, 2.7))
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, (direction, title) in zip(panels, TITLES.items(), strict=True):
        for part, (colour, label) in PARTS.items():
            own = table[(table["direction"] == direction) & (table["part"] == part)]
            if not own.empty:
                axes.plot(own["k"], own["recall"], color=colour, label=f"{label} ({len(own)} snapshots)")
                axes.plot(own["k"], own["chance"], color=colour, lw=0.8, ls=":", label=f"chance, {label}")
        axes.set(title=title, xscale="log", xlabel="k", ylim=(0, 1.03))
        axes.xaxis.set_major_formatter("{x:g}")
    panels[0].set_ylabel("recall@k")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    save(figure, pdf, png)
