"""Class means and dataset embeddings (section 3.2.2)."""

import logging
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import torch

from wsl.datasets.clip import ClipImages
from wsl.files import new_hdf5
from wsl.images.reading import task_classes

log = logging.getLogger(__name__)


def embed_class(
    packed: str | Path,
    out: str | Path,
    model: str,
    weights: str | None,
    batch_size: int,
    seed: int,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Write the class mean: the mean of the CLIP features of the class's *training* images.

    Args:
        packed: the class's packed images.
        out: HDF5 file with ``mean`` (dimension,) and the number of images averaged.
        model, weights, seed, device: see ``wsl.datasets.clip.ClipImages``.
        batch_size: images a forward pass.
        threads: CPU threads.
    """
    torch.set_num_threads(threads)
    encoder = ClipImages(model, weights, seed, device)
    with h5py.File(packed) as file:
        name, images = file.attrs["class"], torch.from_numpy(file["train"][...]).permute(0, 3, 1, 2)
    total = sum(encoder.features(batch).double().sum(0) for batch in images.split(batch_size))
    with new_hdf5(out) as file:
        file.attrs["class"], file.attrs["images"] = name, len(images)
        file.create_dataset("mean", data=(total / len(images)).float().cpu().numpy())
    log.info("class %s: mean of %d images", name, len(images))


class ClassMeans:
    """All class means of a run, by class name."""

    def __init__(self, paths: Sequence[str | Path]):
        self.means: dict[str, np.ndarray] = {}
        for path in paths:
            with h5py.File(path) as file:
                self.means[file.attrs["class"]] = file["mean"][...]

    def embed(self, tasks: Sequence[str]) -> np.ndarray:
        """Return z_D (n, classes * dimension): for each task, its class means concatenated in its order.

        Args:
            tasks: as tables hold them, see ``join_task``.
        """
        return np.stack([np.concatenate([self.means[name] for name in task_classes(task)]) for task in tasks])
