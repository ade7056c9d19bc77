"""Conditional sampling: (class means, outcome) -> z_proj -> weights (section 3.3, figure 3.2)."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from wsl.datasets.class_means import ClassMeans
from wsl.images.reading import MEAN, STD, task_classes
from wsl.outcomes.bins import OutcomeBins, read_bins
from wsl.shared.encoder import SharedEncoder, load_shared
from wsl.tensors import write_tensors
from wsl.weights.codec import WeightCodec, load_codec
from wsl.zoo.network import state_dict

log = logging.getLogger(__name__)


class ProjectionSampler:
    """The thesis' sampler: decode z_proj.

    Args:
        codec: decodes z_W.
        shared: projects (z_D, outcome bin).
        norm: ``training`` scales z_proj to the mean norm of the training latents, ``raw`` leaves it. NT-Xent fixes
            a direction alone, so the length that a projection happens to have means nothing.
    """

    def __init__(self, codec: WeightCodec, shared: SharedEncoder, norm: str):
        self.codec, self.shared, self.norm = codec, shared, norm

    @torch.no_grad()
    def latents(self, datasets: np.ndarray, outcome_bin: int) -> np.ndarray:
        """Return z_proj (n, latent) of z_D (n, dataset) and a requested outcome bin."""
        bins = torch.full((len(datasets),), outcome_bin)
        projections = self.shared(torch.from_numpy(datasets), bins)
        if self.norm == "training":
            projections = functional.normalize(projections, dim=1) * self.shared.latent_norm
        return projections.numpy()

    def sample(self, datasets: np.ndarray, outcome_bin: int) -> np.ndarray:
        """Return flat weights (n, n_weights)."""
        return self.codec.decode(self.latents(datasets, outcome_bin))


def sample_models(
    members: Sequence[int],
    tasks: Sequence[str],
    models: Sequence[str | Path],
    index: str | Path,
    fitted: Sequence[str | Path],
    autoencoder: str | Path,
    shared: str | Path,
    class_means: Sequence[str | Path],
    bins: str | Path,
    outcome: str | float,
    norm: str,
    about: dict[str, Any],
) -> None:
    """Sample a model for each task and write it as a state dict with torchvision's names.

    Args:
        members: the held-out member whose task it is.
        tasks: see ``join_task``.
        models: a safetensors file a task.
        index: training members' index; fitted, autoencoder: the weight codec's files.
        shared, class_means, bins: the shared encoder's files.
        outcome: requested validation loss (nats) or ``best``.
        norm: see ``ProjectionSampler``.
        about: written into every file's metadata, beside classes, request, preprocessing.
    """
    sampler = ProjectionSampler(load_codec(index, fitted, autoencoder), load_shared(shared), norm)
    outcomes = read_bins(bins)
    outcome_bin = outcomes.requested(outcome)
    low, high = _range(outcomes, outcome_bin)
    log.info("requested outcome %s: bin %d, validation loss %.4g to %.4g", outcome, outcome_bin, low, high)
    weights = sampler.sample(ClassMeans(class_means).embed(tasks), outcome_bin)
    for member, task, path, vector in zip(members, tasks, models, weights, strict=True):
        state = state_dict(vector, sampler.codec.counters, sampler.codec.linear.layout)
        request = {"outcome_bin": outcome_bin, "validation_loss": [low, high]}
        preprocessing = {"mean": MEAN, "std": STD, "scale": "pixels / 255"}
        own = {"member": member, "classes": task_classes(task), "request": request, "preprocessing": preprocessing}
        write_tensors(path, state, {**about, **own})


def _range(outcomes: OutcomeBins, outcome_bin: int) -> tuple[float, float]:
    return float(outcomes.edges[outcome_bin]), float(outcomes.edges[outcome_bin + 1])
