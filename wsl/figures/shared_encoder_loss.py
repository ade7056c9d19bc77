"""Figure 4.2: training and validation loss of the shared encoder."""

from pathlib import Path

import pandas as pd

from wsl.figures.style import losses, save

FIGURE = {
    "title": "4.2: losses of the shared encoder",
    "category": "Shared space",
    "order": 1,
    "inputs": lambda run: {"history": run.paths.shared_history},
}


def draw(history: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw the losses by epoch, and the loss at chance, see ``wsl.figures.style.losses``."""
    table = pd.read_csv(history)
    contrastive = table["validation_chance"].notna().all()  # other losses have no chance level
    save(losses(table, "NT-Xent (eq. 2.7), nats" if contrastive else "loss", chance=contrastive), pdf, png)
