"""Distilled images beside real ones (datasets.encoder: distilled)."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from wsl.figures.style import COLUMN, save
from wsl.files import open_hdf5

ACROSS = 4  # classes in a row


def draw(packed: Sequence[str | Path], class_means: Sequence[str | Path], pdf: str | Path, png: str | Path) -> None:
    """Draw each class's first training image, from which distillation starts, and its first distilled image.

    Args:
        packed: packed images, a file per class.
        class_means: files of the same classes in the same order.
        pdf: vector file to write.
        png: bitmap to write.
    """
    down = -(-len(packed) // ACROSS)
    figure = Figure(figsize=(2 * COLUMN, 2 * COLUMN / ACROSS * 0.62 * down))
    axes = figure.subplots(down, ACROSS, squeeze=False).ravel()
    for real, made, one in zip(packed, class_means, axes, strict=False):
        with open_hdf5(real) as file, open_hdf5(made) as other:
            size, pair = file["train"].shape[1], (file["train"][0], other["distilled"][0])
            one.set_title(file.attrs["class"])
        for place, image in enumerate(pair):
            left = place * size * 1.06
            one.imshow(image, extent=(left, left + size, size, 0), interpolation="nearest")
        one.set(xlim=(0, size * 2.06), ylim=(size, 0))
    for one in axes:
        one.axis("off")
    save(figure, pdf, png)
