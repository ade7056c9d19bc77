"""Control by R: validation losses that sampled models reach against those asked for."""

from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.style import BLUE, COLUMN, GREY, ORANGE, RED, save

PARTS = {"test": BLUE, "unseen": ORANGE}
COLUMNS = 4
ROOM = 2.0  # the axis of achieved losses ends at so many times the highest request at most


def draw(measured: str | Path, table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw every task as a faint line and the median over tasks as a strong one, a panel a sampler.

    Args:
        measured: rows of all samplers, see ``wsl.evaluation.control``; table: their summary.
    """
    rows, summary = pd.read_csv(measured), pd.read_csv(table)
    samplers = list(dict.fromkeys(rows["sampler"]))
    columns = min(COLUMNS, len(samplers))
    lines = ceil(len(samplers) / columns)
    width = max(COLUMN, 2 * COLUMN * columns / COLUMNS)
    figure = Figure(figsize=(width, 0.35 + 1.75 * lines))
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
        for part, colour in PARTS.items():
            own = rows[(rows["sampler"] == sampler) & (rows["part"] == part)]
            if own.empty:
                continue
            for _, task in own.groupby(["member", "draw"]):
                axes.plot(task["requested"], task["achieved"], color=colour, alpha=0.18, lw=0.6)
            axes.plot(own.groupby("requested")["achieved"].median(), color=colour, marker="o", ms=2, label=part)
            lost = own.loc[~np.isfinite(own["achieved"]), "requested"]
            axes.plot(lost, np.full(len(lost), 0.985 * top), "x", ms=3, mew=0.8, color=RED)
            score = summary[(summary["sampler"] == sampler) & (summary["part"] == part)]["prompt_alignment"].iloc[0]
            notes.append((f"R² {score:.2f}" if np.isfinite(score) else "R² undefined", colour))
        for place, (note, colour) in enumerate(notes):
            axes.text(0.04, 0.93 - 0.12 * place, note, color=colour, fontsize=7, transform=axes.transAxes, va="top")
        axes.set(title=sampler, ylim=(0, top), xlim=(0, 1.03 * highest))
    grid[0, 0].legend(loc="lower right", handlelength=1.2)
    figure.supxlabel("validation loss asked for, nats", fontsize=8)
    figure.supylabel("validation loss reached, nats", fontsize=8)
    save(figure, pdf, png)
