"""How accurate a model for somebody's own classes is on held-out images, beside baselines from the same images."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest
from torch.nn import functional

from wsl.evaluation.methods import HEADS
from wsl.evaluation.outputs import Runner
from wsl.evaluation.rivals import HeadModels, fit_probe
from wsl.images.inputs import normalised
from wsl.images.reading import task_classes
from wsl.images.tasks import TaskImages
from wsl.sampling.features import BodyFeatures
from wsl.sampling.generator import body_of
from wsl.sampling.own import OwnModel
from wsl.tensors import read_tensors

TINY = 32  # pixels: the side of the largest images whose raw pixels are a baseline
PIXELS = "pixels"
PIXEL_IMAGES = 1000  # training images per class that the regression on pixels looks at: more would take minutes
Estimate = dict[str, float | int]


def estimate(model: OwnModel, weights: np.ndarray) -> Estimate | None:
    """Judge weights on a model's held-out images.

    Args:
        model: whose images.
        weights: flat (n_weights,), laid out as the model's.

    Returns:
        ``accuracy`` with the bounds of Wilson's 95 % interval, ``low`` and ``high``; ``loss``: mean cross-entropy in
        nats; ``images``: how many. None where no image was held out.
    """
    images, labels = model.images.of_task(model.task, part="test")
    if not len(images):
        return None
    logits = Runner(model.layout).logits(weights, normalised(images))
    return {**_judged(logits, labels), "loss": functional.cross_entropy(logits, labels).item()}


def baselines(model: OwnModel, files: Mapping[str, Path], device: str = "cpu") -> tuple[dict[str, Estimate], list[str]]:
    """Judge what a sampled model must beat, made from its training images, on its held-out images.

    Nothing is chosen by the held-out images: each baseline's only setting, a penalty, comes from cross-validation on
    the training images. The regression on pixels looks at no more than ``PIXEL_IMAGES`` of each class.

    Args:
        model: whose images and layout.
        files: state dicts of the ``start`` and the ``body`` of the run, those that it has.
        device: ``cpu`` or ``cuda``.

    Returns:
        Estimates without ``loss`` by the names in ``HEADS``, and ``pixels`` where images are tiny; and the names of
        those left out because the run has no such file. Both are empty where no image was held out.
    """
    images, labels = model.images.of_task(model.task, part="test")
    if not len(images):
        return {}, []
    found, inputs, runner = {}, normalised(images), Runner(model.layout)
    for kind, path in files.items():
        state = _state(path)
        features = BodyFeatures(state, model.images, device)
        for name in (name for name, (body, _) in HEADS.items() if body == kind):
            heads = HeadModels(state, model.layout, model.images, HEADS[name][1], device, features)
            found[name] = _judged(runner.logits(heads.make(model.task, model.loss), inputs), labels)
    if images.shape[-1] <= TINY:
        found[PIXELS] = _judged(_pixel_logits(model.images, model.task), labels)
    return found, [name for name, (body, _) in HEADS.items() if body not in files]


def _state(path: Path) -> dict[str, torch.Tensor]:
    tensors, _ = read_tensors(path)
    return body_of(tensors) or tensors  # a generator's file holds its body among others


def _pixel_logits(images: TaskImages, task: str) -> torch.Tensor:
    """Return logits (n, classes) of a task's held-out images by a logistic regression on raw pixels in [0, 1]."""

    def pixels(part: str, most: int | None = None) -> list[torch.Tensor]:
        return [images.of_class(name, most, part).flatten(1) / 255 for name in task_classes(task)]

    weight, bias = fit_probe(pixels("train", PIXEL_IMAGES))
    return torch.cat(pixels("test")) @ weight.T + bias


def _judged(logits: torch.Tensor, labels: torch.Tensor) -> Estimate:
    right = int((logits.argmax(1) == labels).sum())
    interval = binomtest(right, len(labels)).proportion_ci(method="wilson")
    return {"accuracy": right / len(labels), "low": interval.low, "high": interval.high, "images": len(labels)}
