"""Accuracies of a model for a user's classes, and of baselines from the same images, on held-out images."""

import numpy as np
import torch
from scipy.stats import binomtest
from torch.nn import functional

from wsl.evaluation.outputs import Runner
from wsl.images.inputs import normalised
from wsl.images.reading import task_classes
from wsl.images.tasks import TaskImages
from wsl.sampling.methods.base import METHODS
from wsl.sampling.methods.task_heads import fit_probe
from wsl.sampling.user_classes import UserModel

TINY = 32  # pixels: side of the largest images with a baseline on raw pixels
PIXELS = "pixels"
PIXEL_IMAGES = 1000  # training images per class for the regression on pixels: more would take minutes
Estimate = dict[str, float | int]


def estimate(model: UserModel, weights: np.ndarray) -> Estimate | None:
    """Evaluate flat weights (n_weights,) on a model's held-out images.

    Returns:
        ``accuracy`` with the bounds of Wilson's 95 % interval, ``low`` and ``high``; ``loss``, mean cross-entropy in
        nats; ``images``, their number. None if no image was held out.
    """
    images, labels = model.run.images.of_task(model.task, part="test")
    if not len(images):
        return None
    layout = model.run.layout
    logits = Runner(layout).logits(weights, normalised(images, layout.normalisation))
    return {**accuracy_of(logits, labels), "loss": functional.cross_entropy(logits, labels).item()}


def baselines(model: UserModel) -> tuple[dict[str, Estimate], list[str]]:
    """Evaluate baselines from a model's training images on its held-out images.

    A baseline's only setting, a penalty, comes from cross-validation on the training images.

    Returns:
        Estimates without ``loss`` of the methods with ``own_images``, and of ``pixels`` for tiny images; and the names
        of methods whose files the run lacks. Both are empty if no image was held out, or if the model is made from
        names alone.
    """
    run = model.run
    images, labels = run.images.of_task(model.task, part="test")
    if not len(images) or not len(run.images.of_task(model.task)[0]):
        return {}, []
    estimates, left_out, runner = {}, [], Runner(run.layout)
    inputs = normalised(images, run.layout.normalisation)
    for name in METHODS:
        needed = METHODS[name].own_images
        if needed is None:
            continue
        if any(key not in run.files for key in needed):
            left_out.append(name)
            continue
        weights = run.recalibrated(run.method(name)).sample(model.task, model.loss)
        estimates[name] = accuracy_of(runner.logits(weights, inputs), labels)
    if images.shape[-1] <= TINY:
        estimates[PIXELS] = accuracy_of(_pixel_logits(run.images, model.task), labels)
    return estimates, left_out


def _pixel_logits(images: TaskImages, task: str) -> torch.Tensor:
    """Return logits (n, classes) of a task's held-out images, by logistic regression on raw pixels in [0, 1]."""

    def pixels(part: str, most: int | None = None) -> list[torch.Tensor]:
        return [images.of_class(name, most, part).flatten(1) / 255 for name in task_classes(task)]

    weight, bias = fit_probe(pixels("train", PIXEL_IMAGES))
    return torch.cat(pixels("test")) @ weight.T + bias


def accuracy_of(logits: torch.Tensor, labels: torch.Tensor) -> Estimate:
    """Return the accuracy of logits (n, classes), Wilson's 95 % interval and the number of images, see ``estimate``."""
    correct = int((logits.argmax(1) == labels).sum())
    interval = binomtest(correct, len(labels)).proportion_ci(method="wilson")
    return {"accuracy": correct / len(labels), "low": interval.low, "high": interval.high, "images": len(labels)}
