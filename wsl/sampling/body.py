"""The shared body of generated models: the mean of the zoo, trained to distinguish all of the zoo's classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from wsl.images.inputs import mixed_images
from wsl.jobs.job import Job
from wsl.sampling.recalibration import re_estimate
from wsl.sampling.settings import BodySettings
from wsl.zoo.backbone import train_on_classes
from wsl.zoo.index import Zoo, open_zoo, read_snapshot
from wsl.zoo.network import network_for, state_dict, with_classes, with_zero_head
from wsl.zoo.start import write_start
from wsl.zoo.start_settings import ClassifierTraining


def mean_weights(zoo: Zoo) -> np.ndarray:
    """Return the mean of the members' max snapshots (n_weights,), read one at a time."""
    total = np.zeros(zoo.layout.size)
    for row in zoo.trained:
        total += read_snapshot(zoo, row)
    return (total / len(zoo.trained)).astype(np.float32)


def fit_body(
    index: str | Path,
    packed: Sequence[str | Path],
    out: str | Path,
    settings: BodySettings,
    taught: Sequence[str | Path] = (),
    job: Job = Job(),  # noqa: B008
) -> None:
    """Train the mean of the training members' max snapshots to distinguish all classes that the zoo saw.

    The training optimises accuracy, not closeness to the members' weights (Meynent et al. 2025).

    Args:
        index: of the training members.
        packed: packed images of the classes that members and backbone were trained on.
        out: safetensors file of a state dict with a head of zeros.
        settings: of the training; 0 epochs only re-estimate the batch-normalisation statistics of the mean.
        taught: files of CLIP features, one per class, for a teacher.
        job: seed of head, batches and augmentation.
    """
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    with open_zoo(index) as zoo:
        layout = zoo.layout
        state = state_dict(mean_weights(zoo), layout, zoo.typical_counters)
    network = network_for(with_classes(layout, len(packed))).to(job.device)
    network.load_state_dict({name: value for name, value in state.items() if name not in layout.head}, strict=False)
    re_estimate(network, mixed_images(packed, 40, job.seed).to(job.device))
    network.architecture.for_training(network)
    if settings.epochs:
        training = ClassifierTraining(**{key: getattr(settings, key) for key in ClassifierTraining.model_fields})
        train_on_classes(network, packed, training, taught, job)
    about = {"classes": len(packed), "epochs": settings.epochs}
    write_start(out, with_zero_head(network.architecture.snapshot(network), layout), layout, about)
