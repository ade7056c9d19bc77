"""Validation losses of many sampled models of one task, to keep the best."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from wsl.errors import DataError
from wsl.files.hdf5 import open_hdf5
from wsl.images.inputs import normalised
from wsl.images.reading import task_classes
from wsl.zoo.stacked import TOGETHER, Networks

BATCH = 128


class Candidates:
    """Evaluates models on *validation* images; test images are never read.

    Args:
        run: an ``OpenRun`` of ``wsl.sampling.loading``.
    """

    def __init__(self, run: Any):
        self.run = run
        self.networks = Networks(run.layout, run.device)
        self._task, self._inputs, self._labels = "", torch.empty(0), torch.empty(0)

    def losses(self, weights: np.ndarray, task: str, loss: float, images: int | None = None) -> np.ndarray:
        """Return the mean cross-entropy (n,), nats, infinite for non-finite outputs, of flat weights (n, n_weights).

        Args:
            weights: as decoded; those that need it are evaluated with re-estimated batch-normalisation statistics.
            task: see ``join_task``.
            loss: requested, nats.
            images: number of training images per class for these statistics; None: all.
        """
        if task != self._task:
            self._load(task)
        losses = []
        for start in range(0, len(weights), TOGETHER[1]):
            group = [self.run.recalibrated(_Given(vector)) for vector in weights[start : start + TOGETHER[1]]]
            vectors = torch.from_numpy(np.stack([method.sample(task, loss, images) for method in group]))
            for logits in self._logits(vectors.to(self.run.device)):
                value = functional.cross_entropy(logits, self._labels).item()
                losses.append(value if np.isfinite(value) else np.inf)
        return np.array(losses)

    @torch.inference_mode()
    def _logits(self, weights: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.networks(weights, batch) for batch in self._inputs], dim=1).double()

    def _load(self, task: str) -> None:
        for name in task_classes(task):
            with open_hdf5(self.run.images.files[name]) as file:
                count = len(file["validation"]) if "validation" in file else 0  # classes of a user have none
            if not count:
                raise DataError(
                    f"the sampler {self.run.choice.name!r} selects models on validation images, and the class {name!r} "
                    "has none; use a run with another sampler, for example `kde`"
                )
        images, labels = self.run.images.of_task(task, part="validation")
        inputs = normalised(images.to(self.run.device), self.run.layout.normalisation)
        self._task, self._inputs, self._labels = task, inputs.split(BATCH), labels.to(self.run.device)


class _Given:
    """Weights as a method returns them, see ``OpenRun.recalibrated``."""

    recalibrate = True

    def __init__(self, weights: np.ndarray):
        self.weights = weights

    def sample(self, *request: Any) -> np.ndarray:
        return self.weights
