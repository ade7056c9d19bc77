"""Losses of the weight encoders on the bench over their training, and of the shared encoder on their latents."""

import math
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.style import COLUMN, losses, save

ACROSS = 5  # panels side by side
WIDE = 5  # a first epoch may lie far above the others: ratio of losses from which their scale is logarithmic
LABELS = {"encoder": "loss of the encoder", "shared": "shared encoder, NT-Xent"}


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw a panel for each encoder that was trained, and below one for the shared encoder on the latents of each.

    Args:
        table: CSV, see ``wsl.evaluation.encoder_tables``.
    """
    histories = pd.read_csv(table)
    lengths = histories.groupby(["training", "encoder"], sort=False).size()
    trained = lengths[lengths > 1].reset_index()
    names = {training: trained.loc[trained["training"] == training, "encoder"].tolist() for training in LABELS}
    shown = {training: own for training, own in names.items() if own}
    rows = {training: math.ceil(len(own) / ACROSS) for training, own in shown.items()}
    across = max(min(len(own), ACROSS) for own in shown.values())
    figure = Figure(figsize=(COLUMN * (0.4 + 0.5 * across), 1.5 * sum(rows.values()) + 0.3))
    grid = figure.subplots(sum(rows.values()), across, squeeze=False)
    for axes in grid.flat:
        axes.set_visible(False)
    first = 0
    for training, own in shown.items():
        for place, name in enumerate(own):
            axes = grid[first + place // across, place % across]
            axes.set_visible(True)
            history = histories[(histories["encoder"] == name) & (histories["training"] == training)]
            losses(axes, history, legend=False)
            axes.set_title(name)
            axes.xaxis.get_major_locator().set_params(integer=True)
            values = history[["train_loss", "validation_loss"]].to_numpy()
            if values.min() > 0 and values.max() > WIDE * values.min():
                axes.set_yscale("log")
            if place % across == 0:
                axes.set_ylabel(LABELS[training])
        first += rows[training]
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside right upper")
    save(figure, pdf, png)
