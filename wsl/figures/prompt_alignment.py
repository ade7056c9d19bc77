"""Control by R: the validation loss that sampled models reach against the loss requested."""

from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.methods import method
from wsl.figures.palette import GREY, RED, SEEN, UNSEEN
from wsl.figures.style import COLUMN, save

PARTS = {"test": (SEEN, "seen classes"), "unseen": (UNSEEN, "unseen classes")}
COLUMNS = 4
ROOM = 2.0  # the axis of reached losses ends at most at this multiple of the highest request


def draw(measured: str | Path, table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw every task as a faint line and the median over tasks as a strong one, a panel per sampler.

    Args:
        measured: CSV of all samplers' rows, see ``wsl.evaluation.control``.
        table: CSV, their summary.
        pdf: vector file to write.
        png: bitmap to write.
    """
    rows, summary = pd.read_csv(measured), pd.read_csv(table)
    samplers = list(dict.fromkeys(rows["sampler"]))
    columns = min(COLUMNS, len(samplers))
    lines = ceil(len(samplers) / columns)
    width = max(COLUMN, 2 * COLUMN * columns / COLUMNS)
    figure = Figure(figsize=(width, 0.55 + 1.75 * lines))
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    finite = rows.loc[np.isfinite(rows["achieved"]), "achieved"]
    highest = rows["requested"].max()
    top = min(ROOM * highest, 1.05 * max(highest, finite.max() if len(finite) else highest))
    for place in range(len(samplers), grid.size):
        grid.flat[place].remove()
        grid.flat[place - columns].tick_params(labelbottom=True)
    for axes, sampler in zip(grid.flat, samplers, strict=False):
        axes.axline((0, 0), slope=1, color=GREY, lw=0.8, ls="--")
        notes = []
        for part, (colour, label) in PARTS.items():
            own = rows[(rows["sampler"] == sampler) & (rows["part"] == part)]
            if own.empty:
                continue
            for _, task in own.groupby(["member", "draw"]):
                axes.plot(task["requested"], task["achieved"], color=colour, alpha=0.18, lw=0.6)
            axes.plot(own.groupby("requested")["achieved"].median(), color=colour, marker="o", ms=2, label=label)
            lost = own.loc[~np.isfinite(own["achieved"]), "requested"]
            axes.plot(lost, np.full(len(lost), 0.985 * top), "x", ms=3, mew=0.8, color=RED)
            score = summary[(summary["sampler"] == sampler) & (summary["part"] == part)]["prompt_alignment"].iloc[0]
            notes.append((f"R² {score:.2f}" if np.isfinite(score) else "R² undefined", colour))
        for place, (note, colour) in enumerate(notes):
            axes.text(0.04, 0.93 - 0.12 * place, note, color=colour, fontsize=7, transform=axes.transAxes, va="top")
        axes.set(ylim=(0, top), xlim=(0, 1.03 * highest))
        axes.set_title(method(sampler).label, color=method(sampler).colour)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=len(PARTS))
    figure.supxlabel("validation loss requested, nats", fontsize=8)
    figure.supylabel("validation loss reached, nats", fontsize=8)
    save(figure, pdf, png)
