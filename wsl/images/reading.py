"""Read packed images back."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsl.files import Files, listed, open_hdf5, write_csv

# Torchvision's constants for ImageNet models: a sampled model expects inputs normalised by them.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


# Tables hold a task as its class names, in order, joined by what no folder's name can contain.
TASK_SEPARATOR = "/"


def join_task(classes: Sequence[str]) -> str:
    """Return a task as tables hold it: ``tarantula/koala/goldfish``."""
    return TASK_SEPARATOR.join(classes)


def task_classes(task: str) -> list[str]:
    """Return a task's class names: the inverse of ``join_task``."""
    return task.split(TASK_SEPARATOR)


def packed_by_class(packed: Files) -> dict[str, Path]:
    """Return packed files, see ``wsl.files.listed``, by the class name that each holds."""
    found = {}
    for path in listed(packed):
        with open_hdf5(path) as file:
            found[file.attrs["class"]] = path
    return found


def read_task(packed: Sequence[str | Path], part: str, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read one part of a task's classes.

    Args:
        packed: a packed file for each class, in the order of the task.
        part: ``train``, ``validation`` or ``test``.
        most: at most so many images a class, the first of its shuffled order.

    Returns:
        uint8 images (n, size, size, 3) and int64 labels (n,), a label being the class's place in the task.
    """
    images = []
    for path in packed:
        with open_hdf5(path) as file:
            images.append(file[part][:most])
    labels = np.repeat(np.arange(len(images)), [len(one) for one in images])
    return np.concatenate(images), labels


def summarise(packed: Sequence[str | Path], out: str | Path) -> None:
    """Write a table of all classes: images in each part, files skipped."""
    import pandas as pd

    rows = []
    for path in packed:
        with open_hdf5(path) as file:
            counts = {part: len(file[part]) for part in ("train", "validation", "test")}
            skipped = list(file.attrs["skipped"])
            rows.append({"class": file.attrs["class"], **counts, "skipped": len(skipped), "files": ";".join(skipped)})
    write_csv(out, pd.DataFrame(rows))
