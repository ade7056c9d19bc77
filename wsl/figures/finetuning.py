"""Accuracy on held-out tasks after epochs of fine-tuning."""

from pathlib import Path

import pandas as pd

from wsl.figures.dots import dots, own_rows
from wsl.figures.style import save


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw accuracy after fine-tuning on all of a task's training images, a panel per number of epochs.

    Args:
        table: CSV, see ``wsl.evaluation.tables.accuracy_table``.
        pdf: vector file to write.
        png: bitmap to write.
    """
    accuracies = own_rows(pd.read_csv(table, dtype={"images": str}))
    whole = accuracies[(accuracies["images"] == "all") & (accuracies["classes"] != "validation")]
    # A line for the model that was trained on the task to its end: no epochs are added to it.
    references = whole[(whole["sampler"] == "trained") & (whole["epochs"] == 0)]
    # Where nothing was fine-tuned, all methods are shown as they are.
    tuned = set(whole.loc[whole["epochs"] > 0, "sampler"]) or set(whole["sampler"])
    tuned -= {"trained", "reconstructed"}
    titles = {0: "no training", 1: "1 epoch"}
    panels = {epochs: titles.get(epochs, f"{epochs} epochs") for epochs in sorted(set(whole["epochs"]))}
    save(dots(whole[whole["sampler"].isin(tuned)], "epochs", panels, references), pdf, png)
