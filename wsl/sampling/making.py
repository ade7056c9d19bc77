"""Whole models from conditions: a sampler's codes, decoded, with statistics of the task's own images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from wsl.datasets.class_means import ClassMeans
from wsl.images.inputs import load_task
from wsl.images.reading import packed_by_class, task_classes
from wsl.sampling.recalibration import Recalibration
from wsl.sampling.sampler import Sampler, sample_weights
from wsl.weights.codec import WeightCodec


class Maker(Protocol):
    """Makes a model for a task and a requested outcome."""

    def make(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        """Return flat weights (n_weights,).

        Args:
            task: see ``join_task``.
            loss: requested validation loss, nats.
            images: training images a class that may be looked at, the first of each; None: all; 0: the class's name.
            seed: of what is random.
        """


class TaskImages:
    """Images of tasks, each class read once.

    Args:
        packed: packed images, a file a class.
    """

    def __init__(self, packed: Sequence[str | Path]):
        self.files = packed_by_class(packed)
        self._held: dict[tuple[str, str], torch.Tensor] = {}

    def of_class(self, name: str, most: int | None = None, part: str = "train") -> torch.Tensor:
        """Return uint8 images (n, 3, h, w) of one part of a class, the first so many."""
        if (name, part) not in self._held:
            self._held[name, part] = load_task([self.files[name]], part)[0]
        return self._held[name, part][:most]

    def of_task(self, task: str, most: int | None = None, part: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
        """Return uint8 images (n, 3, h, w) and labels (n,) of a task, the first so many of each class."""
        images = [self.of_class(name, most, part) for name in task_classes(task)]
        labels = torch.arange(len(images)).repeat_interleave(torch.tensor([len(one) for one in images]))
        return torch.cat(images), labels


class DecodedModels:
    """Models of a sampler of codes.

    Args:
        sampler: gives codes.
        codec: decodes them.
        class_means: a file a class, see ``wsl.datasets.class_means``.
        images: of all classes.
        recalibration: puts the statistics right; None leaves them as decoded.
    """

    def __init__(
        self,
        sampler: Sampler,
        codec: WeightCodec,
        class_means: Sequence[str | Path],
        images: TaskImages,
        recalibration: Recalibration | None,
    ):
        self.sampler, self.codec, self.images, self.recalibration = sampler, codec, images, recalibration
        self._paths = class_means
        self._means: dict[int | None, ClassMeans] = {}

    def make(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        """Return flat weights (n_weights,), see ``Maker.make``."""
        if images not in self._means:
            self._means[images] = ClassMeans(self._paths, images)
        datasets = self._means[images].embed([task])
        weights = sample_weights(self.sampler, self.codec, datasets, np.array([loss]), seed)[0]
        if self.recalibration is None:
            return weights
        return self.recalibration(weights, self.images.of_task(task, images)[0])
