"""Held-out tasks, and the evaluation of models on their validation images."""

from collections.abc import Sequence
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from wsl.evaluation.outputs import Runner, accuracy
from wsl.evaluation.settings import SHARED_TASK
from wsl.files.hdf5 import part_of
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.zoo.few_sets import MEMBERS
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


def few_per_task(tasks: pd.DataFrame, most: int = SHARED_TASK) -> pd.DataFrame:
    """Return the first ``most`` rows of each part and task of ``held_out_tasks``.

    Properties of samplers are measured for these: members with one task ask for the same models.
    """
    return tasks.groupby(["part", "task"], sort=False).head(most).reset_index(drop=True)


def repeats(tasks: Sequence[str]) -> list[int]:
    """Return how often each task (n,) occurs before, so that requests for one task can have seeds of their own."""
    return pd.Series(list(tasks)).groupby(list(tasks)).cumcount().tolist()


def requested_losses(outcomes: np.ndarray, count: int) -> np.ndarray:
    """Return losses to request (count,), nats, evenly spaced over the middle 95 % of training outcomes (n,)."""
    return np.linspace(*np.quantile(outcomes, [LOW, HIGH]), count)


def typical_accuracies(snapshots: pd.DataFrame, losses: np.ndarray) -> np.ndarray:
    """Return the validation accuracies that belong to losses (n,): those that training snapshots had at these losses.

    Each is a mean over the nearest snapshots by loss, as many as the square root of their number.

    Args:
        snapshots: ``validation_loss`` (nats) and ``validation_accuracy`` of the training snapshots.
        losses: nats.
    """
    known, accuracies = snapshots[["validation_loss", "validation_accuracy"]].to_numpy(dtype=float).T
    nearest = np.argsort(np.abs(np.subtract.outer(losses, known)), axis=1, kind="stable")
    return accuracies[nearest[:, : ceil(len(known) ** 0.5)]].mean(axis=1)


class Distinct:
    """Finds copies of models.

    Where members share tasks, a method that draws nothing gives them the same models. Copies would make intervals over
    members too narrow, so only the first counts.

    Args:
        unit: of intervals, see ``wsl.zoo.few_sets``; copies count unless it is ``members``.
    """

    def __init__(self, unit: str):
        self._unit, self._seen = unit, set()

    def __call__(self, models: np.ndarray | Sequence[np.ndarray] | None, *about: Any) -> bool:
        """Return whether models count: whether they are the first with these numbers among those with ``about``."""
        key = *about, None if models is None else sha256(np.asarray(models).tobytes()).digest()
        counts = self._unit != MEMBERS or key not in self._seen
        self._seen.add(key)
        return counts


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
