"""Accuracy on held-out tasks: samplers and baselines, by the number of images that they may use."""

from pathlib import Path

from wsl.figures.dots import ACROSS, dots, read_accuracies
from wsl.figures.style import save

FIGURE = {
    "title": "accuracy of samplers and baselines",
    "category": "Sampling",
    "order": 1,
    "inputs": lambda run: {"table": run.paths.table("accuracy")},
}


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw ``wsl.evaluation.tables.accuracy_table`` without fine-tuning: one panel per number of images per class."""
    accuracies = read_accuracies(table)
    accuracies = accuracies[(accuracies["epochs"] == 0) & (accuracies["classes"] != "validation")]
    references = accuracies[accuracies["sampler"].isin(ACROSS)]
    shown = accuracies[~accuracies["sampler"].isin((*ACROSS, "scratch"))]
    counts = sorted({int(count) for count in shown["images"] if count != "all"})
    titles = {0: "names alone", 1: "1 image"}
    panels = {str(count): titles.get(count, f"{count} images") for count in counts} | {"all": "all images"}
    save(dots(shown, "images", panels, references), pdf, png)
