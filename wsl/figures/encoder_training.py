"""Losses of the weight encoders on the bench over their training, and of the shared encoder on their latents."""

import math
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.style import COLUMN, losses, save

ACROSS = 5  # encoders side by side
LABELS = {"encoder": "loss of the encoder", "shared": "shared encoder, NT-Xent"}


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw a column an encoder: its own loss above, the shared encoder's below, where there are such.

    Args:
        table: CSV, see ``wsl.evaluation.encoder_tables``.
    """
    histories = pd.read_csv(table)
    trainings = [training for training in LABELS if training in set(histories["training"])]
    names = list(dict.fromkeys(histories["encoder"]))
    across, down = min(len(names), ACROSS), math.ceil(len(names) / ACROSS)
    figure = Figure(figsize=(COLUMN * (0.3 + 0.5 * across), 1.5 * down * len(trainings)))
    grid = figure.subplots(down * len(trainings), across, squeeze=False)
    for axes in grid.flat:
        axes.set_visible(False)
    for place, name in enumerate(names):
        own = histories[histories["encoder"] == name]
        for row, training in enumerate(trainings):
            history = own[own["training"] == training]
            axes = grid[place // ACROSS * len(trainings) + row, place % ACROSS]
            axes.set_visible(True)
            if len(history) > 1:
                losses(axes, history, legend=not place)
            else:
                axes.text(0.5, 0.5, "not trained", ha="center", transform=axes.transAxes)
                axes.set_axis_off()
            if training == "encoder":
                axes.set_title(name)
            if place % ACROSS == 0:
                axes.set_ylabel(LABELS[training])
    save(figure, pdf, png)
