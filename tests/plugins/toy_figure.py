"""A figure from outside the package: name this file in `plugins`, and write the caption in toy_figure.rst."""

import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.style import COLUMN, save

FIGURE = {
    "title": "accuracy by validation loss",
    "category": "Zoo",
    "inputs": lambda run: {"members": run.paths.table("members")},
    "settings": lambda run: {"chance": 1 / run.config.zoo.classes_per_task},
}


def draw(members, pdf, png, chance):
    """Draw one point per member, and chance as a line."""
    table = pd.read_csv(members)
    figure = Figure(figsize=(COLUMN, 2.4))
    axes = figure.subplots()
    axes.plot(table["max_validation_loss"], table["max_validation_accuracy"], "o", ms=3)
    axes.axhline(chance, ls=":")
    axes.set(xlabel="validation loss, nats", ylabel="validation accuracy")
    save(figure, pdf, png)
