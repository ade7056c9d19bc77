"""Accuracy on held-out tasks of one run beside others: what a regime makes of sampling."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.style import BLUE, COLUMN, GREY, RED, save

NAMES = {
    "trained": "trained on the task",
    "reconstructed": "trained, then reconstructed",
    "projection": "sampled: projection (the thesis)",
    "prototypes": "prototypes on the start",
    "nearest": "nearest training member",
    "mean": "mean of the zoo",
    "start": "the start, untrained",
}


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw each run's accuracies without fine-tuning, all images seen, on tasks of seen classes, with intervals."""
    accuracies = pd.read_csv(table)
    whole = accuracies[
        (accuracies["epochs"] == 0) & (accuracies["images"] == "all") & (accuracies["classes"] == "seen")
    ]
    runs = list(dict.fromkeys(whole["run"]))
    figure = Figure(figsize=(COLUMN * 1.1 * len(runs) + 1.2, 2.8))
    figure.get_layout_engine().set(w_pad=0.12)
    for axes, run in zip(np.atleast_1d(figure.subplots(1, len(runs), sharex=True)), runs, strict=True):
        rows = whole[whole["run"] == run].set_index("sampler")
        chosen = rows.index[rows["chosen"]][0]
        shown = [name for name in [*NAMES, chosen] if name in rows.index]
        shown = sorted(dict.fromkeys(shown), key=lambda name, rows=rows: rows.loc[name, "accuracy"])
        for place, name in enumerate(shown):
            row = rows.loc[name]
            colour = RED if name == chosen else BLUE if name == "projection" else GREY
            reach = [[row["accuracy"] - row["low"]], [row["high"] - row["accuracy"]]]
            axes.errorbar(row["accuracy"], place, xerr=reach, fmt="D", ms=4, color=colour, capsize=2)
            axes.annotate(f"{row['accuracy']:.1%}", (1.02, place), xycoords=("axes fraction", "data"), va="center")
        labels = [NAMES.get(name, f"sampled: {name}") + ("\n(chosen)" if name == chosen else "") for name in shown]
        axes.set_yticks(range(len(shown)), labels)
        axes.set(xlim=(0, 1.02), title=f"{run}: {rows['regime'].iloc[0]} starts", xlabel="accuracy on test images")
    save(figure, pdf, png)
