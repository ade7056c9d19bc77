"""Figure 4.2: training and validation loss of the shared encoder."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.style import COLUMN, losses, save


def draw(history: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw the shared encoder's history, with the loss of embeddings that distinguish nothing.

    Args:
        history: CSV with a row per epoch.
        pdf: vector file to write.
        png: bitmap to write.
    """
    figure = Figure(figsize=(1.4 * COLUMN, 2.4))
    axes = figure.subplots()
    losses(axes, pd.read_csv(history), chance=True)
    axes.set_ylabel("NT-Xent (eq. 2.7), nats")
    save(figure, pdf, png)
