"""The body that generated models share: the mean of the zoo, tuned to tell all its classes apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsl.images.inputs import mixed_images
from wsl.job import Job
from wsl.progress import NOWHERE, Progress
from wsl.sampling.recalibration import re_estimate
from wsl.zoo.backbone import train_on_classes
from wsl.zoo.index import Zoo, open_zoo, read_snapshot
from wsl.zoo.network import network_for, state_dict, with_classes, with_zero_head
from wsl.zoo.settings import ClassifierTraining
from wsl.zoo.start import write_start


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
    epochs: int,
    seed: int,
    device: str = "cpu",
    progress: Progress = NOWHERE,
    threads: int = 1,
    **recipe: Any,
) -> None:
    """Tune the mean of the training members' max snapshots on the training images of all classes that the zoo saw.

    Each member knows its own three classes alone; a body for tasks of any classes should know what tells all of them
    apart. Behaviour, and not closeness to the members' weights, is what it is tuned for (Meynert et al. 2025).

    Args:
        index: of the training members.
        packed: packed images of the classes that members and backbone were trained on.
        out: safetensors file of a state dict with a head of zeros.
        epochs: 0 keeps the mean of the zoo, with new batch-normalisation statistics.
        seed: of head, batches and augmentation.
        device: ``cpu`` or ``cuda``; threads: CPU threads.
        progress: keeps states of the fit, and gives the one to go on from.
        recipe: of training, see ``wsl.zoo.backbone.train_on_classes``.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    with open_zoo(index) as zoo:
        layout = zoo.layout
        mean = mean_weights(zoo)
        counters = np.rint(zoo.counters.mean(axis=0)).astype(np.int64)
    network = network_for(with_classes(layout, len(packed))).to(device)
    body = {name: value for name, value in state_dict(mean, layout, counters).items() if name not in layout.head}
    network.load_state_dict(body, strict=False)
    re_estimate(network, mixed_images(packed, 40, seed).to(device))
    if epochs:
        taught = recipe.pop("taught", ())
        settings = ClassifierTraining(epochs=epochs, **recipe)
        train_on_classes(network, packed, settings, taught, Job(device=device, progress=progress))
    state = with_zero_head(network.state_dict(), layout)
    write_start(out, state, layout, {"classes": len(packed), "epochs": epochs})
