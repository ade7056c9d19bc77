"""Write sampled models as files that torchvision can load."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsl.datasets.class_means import ClassMeans
from wsl.images.reading import MEAN, STD, task_classes
from wsl.outcomes.bins import OutcomeBins, read_bins
from wsl.sampling.registry import load_sampler
from wsl.sampling.sampler import sample_weights
from wsl.tensors import write_tensors
from wsl.weights.codec import load_codec
from wsl.zoo.network import state_dict

log = logging.getLogger(__name__)


def sample_models(
    members: Sequence[int],
    tasks: Sequence[str],
    models: Sequence[str | Path],
    index: str | Path,
    fitted: Sequence[str | Path],
    autoencoder: str | Path,
    class_means: Sequence[str | Path],
    bins: str | Path,
    sampler: str,
    sampler_settings: dict[str, Any],
    outcome: str | float,
    seed: int,
    about: dict[str, Any],
    shared: str | Path | None = None,
    regression: str | Path | None = None,
    flow: str | Path | None = None,
    train_latents: str | Path | None = None,
    train_coefficients: str | Path | None = None,
) -> None:
    """Sample a model for each task and write it as a state dict with torchvision's names.

    Args:
        members: the held-out member whose task it is.
        tasks: see ``join_task``.
        models: a safetensors file a task.
        index: training members' index; fitted, autoencoder: the weight codec's files.
        class_means, bins: of datasets and outcomes.
        sampler, sampler_settings: see ``load_sampler``, and so the files at the end.
        outcome: requested validation loss (nats) or ``best``.
        seed: of what is random in the sampler.
        about: written into every file's metadata, beside classes, request, preprocessing.
    """
    files = {"shared": shared, "regression": regression, "flow": flow}
    banks = {"train_latents": train_latents, "train_coefficients": train_coefficients}
    chosen = load_sampler(sampler, sampler_settings, class_means, bins, **files, **banks)
    codec, outcomes = load_codec(index, fitted, autoencoder), read_bins(bins)
    outcome_bin, loss = outcomes.requested(outcome), outcomes.requested_loss(outcome)
    low, high = _range(outcomes, outcome_bin)
    log.info("requested outcome %s: bin %d, validation loss %.4g to %.4g", outcome, outcome_bin, low, high)
    datasets = ClassMeans(class_means).embed(tasks)
    weights = sample_weights(chosen, codec, datasets, np.full(len(tasks), loss), seed)
    for member, task, path, vector in zip(members, tasks, models, weights, strict=True):
        state = state_dict(vector, codec.counters, codec.linear.layout)
        request = {"outcome_bin": outcome_bin, "validation_loss": [low, high]}
        preprocessing = {"mean": MEAN, "std": STD, "scale": "pixels / 255"}
        own = {"member": member, "classes": task_classes(task), "request": request, "preprocessing": preprocessing}
        write_tensors(path, state, {**about, "sampler": sampler, **own})


def _range(outcomes: OutcomeBins, outcome_bin: int) -> tuple[float, float]:
    return float(outcomes.edges[outcome_bin]), float(outcomes.edges[outcome_bin + 1])
