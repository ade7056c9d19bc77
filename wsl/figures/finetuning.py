"""Accuracy on held-out tasks after epochs of fine-tuning."""

from pathlib import Path

from wsl.figures.dots import dots, read_accuracies
from wsl.figures.style import save

FIGURE = {
    "title": "accuracy after fine-tuning",
    "category": "Sampling",
    "order": 2,
    "inputs": lambda run: {"table": run.paths.table("accuracy")},
}


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw ``wsl.evaluation.tables.accuracy_table`` for all images of a task: one panel per number of epochs."""
    accuracies = read_accuracies(table)
    whole = accuracies[(accuracies["images"] == "all") & (accuracies["classes"] != "validation")]
    # A model that was fully trained on the task is a line, since it is not fine-tuned.
    references = whole[(whole["sampler"] == "trained") & (whole["epochs"] == 0)]
    # If nothing was fine-tuned, all methods are shown.
    tuned = set(whole.loc[whole["epochs"] > 0, "sampler"]) or set(whole["sampler"])
    tuned -= {"trained", "reconstructed"}
    titles = {0: "no training", 1: "1 epoch"}
    panels = {epochs: titles.get(epochs, f"{epochs} epochs") for epochs in sorted(set(whole["epochs"]))}
    save(dots(whole[whole["sampler"].isin(tuned)], "epochs", panels, references), pdf, png)
