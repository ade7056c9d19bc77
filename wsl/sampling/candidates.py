"""Validation losses of many sampled models of one task, to keep the best."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from wsl.errors import DataError
from wsl.files.hdf5 import open_hdf5
from wsl.images.inputs import normalised
from wsl.images.reading import task_classes
from wsl.zoo.layout import Layout
from wsl.zoo.network import network_for

BATCH = 256


class Candidates:
    """Evaluates models on *validation* images; test images are never read.

    Args:
        run: an ``OpenRun`` of ``wsl.sampling.loading``.
    """

    def __init__(self, run: Any):
        self.run = run
        self.network = Evaluated(run.layout, run.device)
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
        for vector in weights:
            vector = self.run.recalibrated(_Given(vector)).sample(task, loss, images)
            logits = self.network.logits(vector, self._inputs)
            value = functional.cross_entropy(logits, self._labels).item()
            losses.append(value if np.isfinite(value) else np.inf)
        return np.array(losses)

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


class Evaluated:
    """A network that flat weights are copied into one after the other.

    Channels of weights and features are adjacent in memory, which halves the time on a CPU; there, stacked models with
    grouped convolutions take twice as long as one after the other.
    """

    def __init__(self, layout: Layout, device: str = "cpu"):
        self.layout = layout
        self.network = network_for(layout).to(device, memory_format=torch.channels_last).eval()
        self.state = self.network.state_dict()

    @torch.inference_mode()
    def logits(self, weights: np.ndarray, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Return logits (n, classes) of batches of normalised images under flat weights (n_weights,)."""
        vector = torch.from_numpy(np.ascontiguousarray(weights))
        for entry in self.layout.entries:
            self.state[entry.name].copy_(vector[entry.columns].view(entry.shape))
        return torch.cat([self.network(batch) for batch in inputs]).double()


class _Given:
    """Weights as a method returns them, see ``OpenRun.recalibrated``."""

    recalibrate = True

    def __init__(self, weights: np.ndarray):
        self.weights = weights

    def sample(self, *request: Any) -> np.ndarray:
        return self.weights
