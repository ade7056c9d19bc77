"""Distilled images next to real ones (``datasets.encoder: distilled``)."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from wsl.figures.style import COLUMN, save
from wsl.files.hdf5 import open_hdf5

FIGURE = {
    "title": "distilled and real images",
    "category": "Datasets",
    "inputs": lambda run: {
        key: [path(name) for name in run.classes if name not in run.groups["unseen"]][:12]
        for key, path in (("packed", run.paths.packed), ("class_means", run.paths.class_mean))
    },
    "when": lambda run: run.config.datasets.encoder.name == "distilled",
}
ACROSS = 4  # classes per row


def draw(packed: Sequence[str | Path], class_means: Sequence[str | Path], pdf: str | Path, png: str | Path) -> None:
    """Draw the first training image of each class, from which distillation starts, and its first distilled image.

    ``packed`` and ``class_means`` are files of images and of dataset embeddings, one per class, in the same order.
    """
    down = -(-len(packed) // ACROSS)
    figure = Figure(figsize=(2 * COLUMN, 2 * COLUMN / ACROSS * 0.62 * down))
    panels = figure.subplots(down, ACROSS, squeeze=False).ravel()
    for real, embedded, axes in zip(packed, class_means, panels, strict=False):
        with open_hdf5(real) as images, open_hdf5(embedded) as embedding:
            size, pair = images["train"].shape[1], (images["train"][0], embedding["distilled"][0])
            axes.set_title(images.attrs["class"])
        for left, image in zip((0, 1.06 * size), pair, strict=True):
            axes.imshow(image, extent=(left, left + size, size, 0), interpolation="nearest")
        axes.set(xlim=(0, size * 2.06), ylim=(size, 0))
    for axes in panels:
        axes.axis("off")
    save(figure, pdf, png)
