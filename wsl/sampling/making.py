"""Whole models from conditions: a sampler's codes, decoded, with statistics of the task's own images."""

from typing import Protocol

import numpy as np

from wsl.datasets.class_means import ClassMeansByCount
from wsl.errors import DataError
from wsl.files import Files
from wsl.images.tasks import TaskImages
from wsl.sampling.recalibration import Recalibration
from wsl.sampling.sampler import Sampler, sample_weights
from wsl.weights.codec import WeightCodec
from wsl.zoo.layout import Layout


class Maker(Protocol):
    """Makes a model for a task and a requested outcome."""

    def make(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return flat weights (n_weights,); None where there is no such model.

        Args:
            task: see ``join_task``.
            loss: requested validation loss, nats.
            images: training images a class that may be looked at, the first of each; None: all; 0: the class's name.
            seed: of what is random.
        """


def finite(weights: np.ndarray, layout: Layout, task: str) -> np.ndarray:
    """Return flat weights (n_weights,) as they are.

    Raises:
        DataError: some are not finite.
    """
    for name, values in layout.split(weights).items():
        if not np.isfinite(values).all():
            raise DataError(
                f"the model sampled for the task {task} is not finite in {name}; ask for another outcome, or fit the "
                "sampler anew with a lower learning_rate"
            )
    return weights


class DecodedModels:
    """Models of a sampler of codes.

    Args:
        sampler: gives codes.
        codec: decodes them.
        class_means: a file a class, see ``wsl.datasets.class_means``.
    """

    def __init__(self, sampler: Sampler, codec: WeightCodec, class_means: Files):
        self.sampler, self.codec, self.class_means = sampler, codec, ClassMeansByCount(class_means)

    def make(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        """Return flat weights (n_weights,), see ``Maker.make``."""
        datasets = self.class_means.embed([task], images)
        weights = sample_weights(self.sampler, self.codec, datasets, np.array([loss]), seed)[0]
        return finite(weights, self.codec.linear.layout, task)


class RecalibratedModels:
    """Another maker's models, their statistics put right by the images that may be looked at.

    Args:
        maker: makes the models.
        images: of all classes.
        recalibration: puts the statistics right.
    """

    def __init__(self, maker: Maker, images: TaskImages, recalibration: Recalibration):
        self.maker, self.images, self.recalibration = maker, images, recalibration

    def make(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return flat weights (n_weights,), see ``Maker.make``; None where the other maker has none."""
        weights = self.maker.make(task, loss, images, seed)
        return None if weights is None else self.recalibration(weights, self.images.of_task(task, images)[0])
