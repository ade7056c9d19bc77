"""Files of class means of CLIP features, and dataset embeddings of them (section 3.2.2)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from wsl.datasets.settings import ClipModel
from wsl.errors import DataError
from wsl.files.hdf5 import new_hdf5, open_hdf5
from wsl.files.plain import Files, listed
from wsl.images.reading import task_classes
from wsl.jobs.job import Job

if TYPE_CHECKING:
    from wsl.datasets.clip import Clip

log = logging.getLogger(__name__)


def embed_classes(
    packed: Sequence[str | Path],
    out: Sequence[str | Path],
    prompts: Sequence[Sequence[str]],
    model: ClipModel,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write class files: the mean of the CLIP features of each class's *training* images.

    Args:
        packed: packed images, one file per class.
        out: one HDF5 file per class, with ``mean`` (dimension,), ``features`` (images, dimension) in the order of the
            images, and ``text`` (dimension,), the mean of the prompts' normalised features, if there are prompts.
        prompts: sentences that name each class.
        model: see ``wsl.datasets.clip.Clip``.
        job: its seed is that of random weights of CLIP.
    """
    from wsl.datasets.clip import Clip  # the import takes seconds, and reading class means does not need it

    torch.set_num_threads(job.threads)
    encoder = Clip(model.model, model.weights, job.seed, job.device)
    for source, path, sentences in zip(packed, out, prompts, strict=True):
        text = encoder.text_features(sentences).mean(0).cpu().numpy() if sentences else None
        name, count = embed_class(source, path, encoder.features, text)
        log.info("class %s: mean of %d images, %d prompts", name, count, len(sentences))


def embed_class(
    packed: str | Path, out: str | Path, features_of: Callable[[torch.Tensor], torch.Tensor], text: np.ndarray | None
) -> tuple[str, int]:
    """Write the class file of one class, and return its name and number of images.

    Args:
        packed: its packed images.
        out: HDF5 file, see ``embed_classes``.
        features_of: returns features (n, dimension) of uint8 images (n, 3, h, w).
        text: see ``write_class``.
    """
    with open_hdf5(packed) as file:
        name, images = file.attrs["class"], torch.from_numpy(file["train"][...]).permute(0, 3, 1, 2)
    features = features_of(images).cpu()
    write_class(out, name, features.double().mean(0).float().numpy(), features.numpy(), text)
    return name, len(images)


def embed_name(name: str, prompts: Sequence[str], out: str | Path, clip: Clip, length: float) -> None:
    """Write the class file of a class without images from sentences that name it.

    It is as that of ``embed_classes``, with empty ``features``; ``mean`` is the text feature, scaled to ``length``.
    """
    text = clip.text_features(prompts).mean(0).cpu().numpy()
    mean = np.float32(text * length / np.linalg.norm(text))
    write_class(out, name, mean, np.empty((0, len(text)), dtype=np.float32), text)


def write_class(path: str | Path, name: str, mean: np.ndarray, features: np.ndarray, text: np.ndarray | None) -> None:
    """Write a class file, see ``embed_classes``; ``text`` is None if the encoder reads no names."""
    with new_hdf5(path) as file:
        file.attrs["class"], file.attrs["images"] = name, len(features)
        for key, values in (("mean", mean), ("features", features), ("text", text)):
            if values is not None:
                file.create_dataset(key, data=values)


class ClassMeans:
    """All class means of a run.

    Args:
        paths: one file per class, see ``embed_classes``, or a list of them.
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
