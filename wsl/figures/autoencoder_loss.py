"""Figure 4.1a: training and validation loss of the weight encoder."""

from pathlib import Path

import pandas as pd

from wsl.figures.style import losses, save

FIGURE = {
    "title": "4.1a: losses of the weight encoder",
    "category": "Weight encoder",
    "order": 1,
    "inputs": lambda run: {"history": run.paths.encoder_history},
    "needs_images": False,
}


def draw(history: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw the losses by epoch, see ``wsl.figures.style.losses``."""
    figure = losses(pd.read_csv(history), "squared error per model (eq. 3.1)")
    figure.axes[0].set_yscale("log")
    save(figure, pdf, png)
