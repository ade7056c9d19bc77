"""Accuracy on held-out tasks against epochs of fine-tuning."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from wsl.figures.accuracy import by_classes, own_rows, styles_of, with_intervals
from wsl.figures.style import save

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
    epochs = sorted(set(accuracies["epochs"]))
    save(by_classes(accuracies, lambda axes, rows: _panel(axes, rows, styles, epochs)), pdf, png)


def _panel(axes: Axes, table: pd.DataFrame, styles: dict[str, dict[str, Any]], epochs: list[int]) -> None:
    for sampler, rows in table.groupby("sampler", sort=False):
        rows = rows.sort_values("epochs")
        with_intervals(axes, [epochs.index(epoch) for epoch in rows["epochs"]], rows, styles[sampler])
    axes.set_xticks(range(len(epochs)), epochs)
    axes.set(xlabel="epochs of fine-tuning", ylim=(None, 1))
