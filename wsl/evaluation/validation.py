"""Held-out tasks, and the evaluation of models on their validation images."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from wsl.evaluation.outputs import Runner, accuracy
from wsl.files.hdf5 import part_of
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.zoo.index import open_zoo
from wsl.zoo.layout import Layout

LOW, HIGH = 0.025, 0.975


def held_out_tasks(indices: Sequence[str | Path]) -> pd.DataFrame:
    """Return one row per held-out member, also of diverged ones: ``part`` (its index's name), ``member``, ``task``."""
    tables = []
    for path in indices:
        with open_zoo(path) as zoo:
            tables.append(zoo.members[["member", "task"]].assign(part=part_of(path)))
    return pd.concat(tables, ignore_index=True)[["part", "member", "task"]]


def requested_losses(outcomes: np.ndarray, count: int) -> np.ndarray:
    """Return losses to request (count,), nats, evenly spaced over the middle 95 % of training outcomes (n,)."""
    return np.linspace(*np.quantile(outcomes, [LOW, HIGH]), count)


class Judgement(NamedTuple):
    """Mean cross-entropy (nats) and accuracy; infinite and 0 for a model with non-finite outputs."""

    loss: float
    accuracy: float


class ValidationImages:
    """Runs flat weights on the validation images of tasks."""

    def __init__(self, images: TaskImages, layout: Layout, device: str = "cpu"):
        self.images, self.layout, self.runner = images, layout, Runner(layout, device)
        self._task, self._inputs, self._labels = "", torch.empty(0), torch.empty(0)

    def _load(self, task: str) -> None:
        if task != self._task:  # caches one task, since callers take one task after another
            images, labels = self.images.of_task(task, part="validation")
            self._task, self._labels = task, labels
            self._inputs = normalised(images, self.layout.normalisation)

    def predictions(self, weights: np.ndarray, task: str) -> np.ndarray:
        """Return the predicted class of each image (n,); -1, which is never right, for non-finite outputs."""
        self._load(task)
        logits = self.runner.logits(weights, self._inputs)
        return torch.where(logits.isfinite().all(1), logits.argmax(1), -1).numpy()

    def labels(self, task: str) -> np.ndarray:
        """Return the labels (n,)."""
        self._load(task)
        return self._labels.numpy()

    def judge(self, weights: np.ndarray, task: str) -> Judgement:
        """Return loss and accuracy of flat weights (n_weights,)."""
        self._load(task)
        logits = self.runner.logits(weights, self._inputs).double()
        if not logits.isfinite().all():
            return Judgement(float("inf"), 0.0)
        return Judgement(functional.cross_entropy(logits, self._labels).item(), accuracy(logits, self._labels))
