"""The body that generated models share: the mean of the zoo, tuned to tell all its classes apart."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from wsl.images.inputs import mixed_images
from wsl.sampling.recalibration import re_estimate
from wsl.tensors import write_tensors
from wsl.zoo.backbone import train_on_classes
from wsl.zoo.index import Zoo, open_zoo, read_weights
from wsl.zoo.network import resnet18, state_dict
from wsl.zoo.start import HEAD, with_zero_head

log = logging.getLogger(__name__)


def mean_weights(zoo: Zoo, rows: np.ndarray) -> np.ndarray:
    """Return the mean of the snapshots at ``rows`` (n_weights,), read one at a time."""
    total = np.zeros(zoo.layout.size)
    for row in rows:
        total += read_weights(zoo, slice(row, row + 1))[0]
    return (total / len(rows)).astype(np.float32)


def fit_body(
    index: str | Path,
    packed: Sequence[str | Path],
    out: str | Path,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
    augment: bool,
    teacher: float,
    seed: int,
    taught: Sequence[str | Path] = (),
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Tune the mean of the training members' max snapshots on the training images of all classes that the zoo saw.

    Each member knows its own three classes alone; a body for tasks of any classes should know what tells all of them
    apart. Behaviour, and not closeness to the members' weights, is what it is tuned for (Meynert et al. 2025).

    Args:
        index: of the training members.
        packed: packed images of the classes that members and backbone were trained on.
        out: safetensors file of a state dict with a head of zeros.
        epochs: 0 keeps the mean of the zoo, with new batch-normalisation statistics.
        learning_rate, weight_decay, batch_size, augment, teacher, taught: see ``wsl.zoo.backbone.train_backbone``.
        seed: of head, batches and augmentation.
        device: ``cpu`` or ``cuda``; threads: CPU threads.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    with open_zoo(index) as zoo:
        layout = zoo.layout
        mean = mean_weights(zoo, np.flatnonzero(zoo.snapshots["snapshot"] == "max"))
        counters = np.rint(zoo.counters.mean(axis=0)).astype(np.int64)
    classes, features = layout["fc.weight"].shape
    network = resnet18(features // 8, len(packed)).to(device)
    body = {name: value for name, value in state_dict(mean, counters, layout).items() if name not in HEAD}
    network.load_state_dict(body, strict=False)
    re_estimate(network, mixed_images(packed, 40, seed).to(device))
    if epochs:
        recipe = {"epochs": epochs, "learning_rate": learning_rate, "weight_decay": weight_decay}
        train_on_classes(
            network,
            packed,
            **recipe,
            batch_size=batch_size,
            augment=augment,
            teacher=teacher,
            taught=taught,
            device=device,
        )
    write_tensors(out, with_zero_head(network.state_dict(), classes), {"classes": len(packed), "epochs": epochs})
