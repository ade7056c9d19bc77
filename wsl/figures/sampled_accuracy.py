"""Accuracy of sampled models on held-out tasks, beside what they must beat."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.style import BLUE, COLUMN, GREY, RED, save

LABELS = {
    "chance": "chance",
    "mean": "mean of the zoo",
    "nearest": "nearest training member",
    "sampled": "sampled from (D, R)",
    "reconstructed": "own weights, reconstructed",
    "trained": "trained from scratch",
}


def draw(measured: str | Path, table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw each held-out task as a dot and each method's mean with its 95 % interval."""
    scores, means = pd.read_csv(measured), pd.read_csv(table).set_index("method")
    figure = Figure(figsize=(COLUMN, 2.4))
    axes = figure.subplots()
    for row, (method, summary) in enumerate(means.iterrows()):
        colour = RED if method == "sampled" else BLUE
        values = scores.loc[scores["method"] == method, "accuracy"].to_numpy()
        # A fixed spread across the row keeps equal accuracies apart without anything random.
        axes.plot(values, row + np.linspace(-0.22, 0.22, len(values)), "o", ms=2.5, color=GREY, alpha=0.6)
        reach = [[summary["accuracy"] - summary["low"]], [summary["high"] - summary["accuracy"]]]
        axes.errorbar(summary["accuracy"], row, xerr=reach, fmt="D", ms=5, color=colour, capsize=3)
        axes.annotate(
            f"{summary['accuracy']:.1%}", (1.04, row), xycoords=("axes fraction", "data"), va="center", color=colour
        )
    axes.set_yticks(range(len(means)), [LABELS[method] for method in means.index])
    axes.axvline(means.loc["chance", "accuracy"], color=GREY, lw=0.8, ls=":")
    axes.set(xlim=(0, 1.03), xlabel="accuracy on test images of held-out tasks")
    save(figure, pdf, png)
