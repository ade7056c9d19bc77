"""Class files with means of features of images, and dataset embeddings of them (section 3.2.2)."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from wsl.errors import DataError
from wsl.files.hdf5 import new_hdf5, open_hdf5
from wsl.files.plain import Files, listed
from wsl.images.reading import task_classes


def embed_class(
    packed: str | Path, out: str | Path, features_of: Callable[[torch.Tensor], torch.Tensor], text: np.ndarray | None
) -> tuple[str, int]:
    """Write the class file of one class, and return its name and number of images.

    Args:
        packed: its packed images.
        out: HDF5 file, see ``wsl.datasets.clip.embed_classes``.
        features_of: returns features (n, dimension) of uint8 images (n, 3, h, w).
        text: see ``write_class``.
    """
    with open_hdf5(packed) as file:
        name, images = file.attrs["class"], torch.from_numpy(file["train"][...]).permute(0, 3, 1, 2)
    features = features_of(images).cpu()
    write_class(out, name, features.double().mean(0).float().numpy(), features.numpy(), text)
    return name, len(images)


def write_class(path: str | Path, name: str, mean: np.ndarray, features: np.ndarray, text: np.ndarray | None) -> None:
    """Write a class file, see ``wsl.datasets.clip.embed_classes``; ``text`` is None if the encoder reads no names."""
    with new_hdf5(path) as file:
        file.attrs["class"], file.attrs["images"] = name, len(features)
        for key, values in (("mean", mean), ("features", features), ("text", text)):
            if values is not None:
                file.create_dataset(key, data=values)


class ClassMeans:
    """All class means of a run.

    Args:
        paths: one file per class, see ``wsl.datasets.clip.embed_classes``, or a list of them.
        images: number of images of each class that are averaged, the first ones; None: all; 0: the text feature,
            at the mean length of class means.

    Attributes:
        means: by class name.
        length: mean length of the class means from all images.

    Raises:
        DataError: a class has no text.
    """

    def __init__(self, paths: Files, images: int | None = None):
        self.means: dict[str, np.ndarray] = {}
        norms = []
        for path in listed(paths):
            with open_hdf5(path) as file:
                if images == 0 and "text" not in file:
                    raise DataError(f"{path} holds no text features; set datasets.prompts")
                name, mean = file.attrs["class"], file["mean"][...]
                norms.append(np.linalg.norm(mean))
                if images is not None:
                    mean = file["features"][:images].mean(axis=0) if images else file["text"][...]
                self.means[name] = mean
        self.length = float(np.mean(norms))
        if images == 0:
            # Text features have length 1: compared with the longer image features, all texts would look the same.
            self.means = {name: np.float32(text * self.length) for name, text in self.means.items()}

    def embed(self, tasks: Sequence[str]) -> np.ndarray:
        """Return z_D (n, classes * dimension): class means concatenated in the order of each task (``join_task``)."""
        return np.stack([np.concatenate([self.means[name] for name in task_classes(task)]) for task in tasks])


class ClassMeansByCount:
    """Class means from any number of images; files (see ``ClassMeans``) are read once per number."""

    def __init__(self, paths: Files):
        self._of = cache(partial(ClassMeans, paths))

    def embed(self, tasks: Sequence[str], images: int | None = None) -> np.ndarray:
        """Return z_D (n, classes * dimension), see ``ClassMeans``."""
        return self._of(images).embed(tasks)
