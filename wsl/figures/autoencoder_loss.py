"""Figure 4.1a: training and validation loss of the weight autoencoder."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.style import COLUMN, losses, save


def draw(history: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw the autoencoder's history.

    Args:
        history: CSV with a row per epoch.
        pdf: vector file to write.
        png: bitmap to write.
    """
    figure = Figure(figsize=(1.4 * COLUMN, 2.4))
    axes = figure.subplots()
    losses(axes, pd.read_csv(history))
    axes.set_yscale("log")
    axes.set_ylabel("squared error per model (eq. 3.1)")
    save(figure, pdf, png)
