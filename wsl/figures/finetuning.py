"""Accuracy on held-out tasks against epochs of fine-tuning."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.accuracy import OTHERS, STYLES, TITLES, own_rows
from wsl.figures.style import COLUMN, GREY, RED, save

SHOWN = {"scratch": ("from scratch", "black", "x", "-"), "start": ("from the regime's start", GREY, "P", "-")}


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw accuracy after fine-tuning on all of a task's training images, with 95 % intervals."""
    accuracies = own_rows(pd.read_csv(table))
    accuracies = accuracies[accuracies["images"] == "all"]
    tuned = set(accuracies.loc[accuracies["epochs"] > 0, "sampler"]) - {"trained", "reconstructed"}
    accuracies = accuracies[accuracies["sampler"].isin(tuned)]
    kinds = [kind for kind in TITLES if kind in set(accuracies["classes"])]
    figure = Figure(figsize=(COLUMN * (1 + 0.9 * (len(kinds) - 1)) + 1.6, 3.0))
    panels = np.atleast_1d(figure.subplots(1, len(kinds), sharey=True))
    epochs = sorted(set(accuracies["epochs"]))
    for axes, kind in zip(panels, kinds, strict=True):
        part, plain = accuracies[accuracies["classes"] == kind], iter(OTHERS * 3)
        for sampler, rows in part.groupby("sampler", sort=False):
            styles = STYLES | SHOWN
            label, colour, marker, line = styles.get(sampler, (f"sampled: {sampler}", next(plain), ".", "--"))
            if rows["chosen"].any():
                label, colour, marker, line = f"sampled: {sampler} (chosen)", RED, "o", "-"
            rows = rows.sort_values("epochs")
            reach = [rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]]
            x = [epochs.index(epoch) for epoch in rows["epochs"]]
            axes.errorbar(
                x, rows["accuracy"], yerr=reach, color=colour, marker=marker, ms=3, ls=line, capsize=2, label=label
            )
        axes.set_xticks(range(len(epochs)), epochs)
        axes.set(title=TITLES[kind], xlabel="epochs of fine-tuning", ylim=(None, 1))
    panels[0].set_ylabel("accuracy on test images")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
    save(figure, pdf, png)
