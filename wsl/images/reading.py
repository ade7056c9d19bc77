"""Read packed images, and write tasks as text."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wsl.files.hdf5 import open_hdf5
from wsl.files.plain import Files, listed, write_csv

log = logging.getLogger(__name__)
PARTS = ("train", "validation", "test")
LEFT_OUT = ("skipped", "repeated", "leaked", "unread")  # see ``wsl.images.parts.LeftOut``
# Torchvision's constants for ImageNet models.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
TASK_SEPARATOR = "/"  # no folder's name can contain it


class Normalisation(NamedTuple):
    """Means and deviations of the channels red, green and blue, of pixels in [0, 1], by which inputs are normalised."""

    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How an image becomes a network's input, for the metadata of a model."""
        return {**self._asdict(), "scale": "pixels / 255", "crop": "centre square"}


USUAL = Normalisation()


def join_task(classes: Sequence[str]) -> str:
    """Return a task as text in tables: its class names in order, ``tarantula/koala/goldfish``."""
    return TASK_SEPARATOR.join(classes)


def task_classes(task: str) -> list[str]:
    """Return a task's class names: the inverse of ``join_task``."""
    return task.split(TASK_SEPARATOR)


def packed_by_class(packed: Files) -> dict[str, Path]:
    """Return packed files, see ``wsl.files.plain.listed``, by the name of the class in each."""
    files = {}
    for path in listed(packed):
        with open_hdf5(path) as file:
            files[file.attrs["class"]] = path
    return files


def read_task(packed: Sequence[str | Path], part: str, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 images (n, size, size, 3) and int64 labels (n,) of one part of a task's classes.

    Args:
        packed: packed files, one per class, in the order of the task, which defines the labels.
        part: ``train``, ``validation`` or ``test``.
        most: largest number of images per class, the first of its shuffled order; None: all.
    """
    images = []
    for path in packed:
        with open_hdf5(path) as file:
            images.append(file[part][:most])
    labels = np.repeat(np.arange(len(images)), [len(group) for group in images])
    return np.concatenate(images), labels


def summarise(packed: Sequence[str | Path], out: str | Path) -> None:
    """Write a CSV table of all classes: images in each part, files left out, and images that other classes also have.

    Shared images are kept, since nothing shows to which class they belong; the log names them.
    """
    import pandas as pd

    rows, images = [], []
    for path in packed:
        with open_hdf5(path) as file:
            name, counts = file.attrs["class"], {part: len(file[part]) for part in PARTS}
            left_out = {key: list(file["left_out"][key].asstr()[...]) for key in LEFT_OUT}
            for part in PARTS:
                files, digests = file["files"][part].asstr()[...], file["digests"][part][...]
                images.append(pd.DataFrame({"class": name, "part": part, "digest": digests, "file": files}))
            kinds = file["left_out"].attrs["kinds"]
        named = ";".join(name for files in left_out.values() for name in files)
        lengths = {key: len(files) for key, files in left_out.items()}
        rows.append({"class": name, **counts, **lengths, "kinds": kinds, "files": named})
    table, images = pd.DataFrame(rows), pd.concat(images, ignore_index=True)
    shared = images[images.groupby("digest")["class"].transform("nunique") > 1]
    for _, same in shared.groupby("digest", sort=False):
        log.warning(
            "classes share an image, so no network can distinguish them by it; keep it in one class only: %s",
            ", ".join(f"{row.file} ({row.part} of {row[1]})" for row in same.itertuples()),
        )
    table.insert(table.columns.get_loc("kinds"), "shared", table["class"].map(shared["class"].value_counts()))
    write_csv(out, table.fillna({"shared": 0}).astype({"shared": int}))
