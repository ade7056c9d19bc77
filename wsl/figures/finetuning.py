"""Accuracy on held-out tasks against epochs of fine-tuning."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.accuracy import TITLES, own_rows, styles_of, with_intervals
from wsl.figures.style import COLUMN, save

STARTS = {"marker": "x", "ms": 3, "lw": 1, "capsize": 2}
SHOWN = {
    "scratch": {"label": "from scratch", "color": "black", "ls": "-", **STARTS},
    "start": {"label": "from the regime's start", "color": "black", "ls": ":", **STARTS},
}


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw accuracy after fine-tuning on all of a task's training images, with 95 % intervals."""
    accuracies = own_rows(pd.read_csv(table))
    styles = styles_of(accuracies) | SHOWN
    accuracies = accuracies[accuracies["images"] == "all"]
    tuned = set(accuracies.loc[accuracies["epochs"] > 0, "sampler"]) - {"trained", "reconstructed"}
    accuracies = accuracies[accuracies["sampler"].isin(tuned)]
    kinds = [kind for kind in TITLES if kind in set(accuracies["classes"])]
    figure = Figure(figsize=(COLUMN * (1 + 0.9 * (len(kinds) - 1)) + 1.6, 3.0))
    panels = np.atleast_1d(figure.subplots(1, len(kinds), sharey=True))
    epochs = sorted(set(accuracies["epochs"]))
    for axes, kind in zip(panels, kinds, strict=True):
        for sampler, rows in accuracies[accuracies["classes"] == kind].groupby("sampler", sort=False):
            rows = rows.sort_values("epochs")
            with_intervals(axes, [epochs.index(epoch) for epoch in rows["epochs"]], rows, styles[sampler])
        axes.set_xticks(range(len(epochs)), epochs)
        axes.set(title=TITLES[kind], xlabel="epochs of fine-tuning", ylim=(None, 1))
    panels[0].set_ylabel("accuracy on test images")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
    save(figure, pdf, png)
