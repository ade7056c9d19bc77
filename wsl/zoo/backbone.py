"""Train the backbone that `finetuned` members start from."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from wsl.epoch_loop import EpochLoop, Values
from wsl.files import open_hdf5
from wsl.images.inputs import load_task
from wsl.progress import NOWHERE, Progress
from wsl.tensors import write_tensors
from wsl.zoo.epochs import evaluate, make_optimizer, train_epoch
from wsl.zoo.network import SlimResNet18, resnet18
from wsl.zoo.start import with_zero_head

log = logging.getLogger(__name__)


def train_backbone(
    packed: Sequence[str | Path],
    out: str | Path,
    width: int,
    classes: int,
    epochs: int,
    seed: int,
    device: str = "cpu",
    threads: int = 1,
    progress: Progress = NOWHERE,
    **recipe: Any,
) -> None:
    """Train a backbone on classes that no task uses and write it as a start (regime ``finetuned``).

    The head becomes zeros: it treats all classes alike, so that the order of a task's classes stays a symmetry of the
    zoo.

    Args:
        packed: packed images, a file a class of the backbone's.
        out: safetensors file.
        width: of the network.
        classes: of a task, rows of the new head.
        epochs, recipe: of training, see ``train_on_classes``.
        seed: of weights, batches and augmentation.
        device: ``cpu`` or ``cuda``; threads: CPU threads.
        progress: keeps states of it, and gives the one to go on from.

    Raises:
        FloatingPointError: it diverged.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    network = resnet18(width, len(packed)).to(device)
    accuracy = train_on_classes(network, packed, epochs, **recipe, device=device, progress=progress)
    about = {"regime": "finetuned", "classes": len(packed), "epochs": epochs, "validation_accuracy": accuracy}
    write_tensors(out, with_zero_head(network.state_dict(), classes), about)


def train_on_classes(
    network: SlimResNet18,
    packed: Sequence[str | Path],
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
    augment: bool,
    teacher: float,
    taught: Sequence[str | Path] = (),
    device: str = "cpu",
    progress: Progress = NOWHERE,
) -> float:
    """Train a network to tell all classes of ``packed`` apart and return its validation accuracy.

    SGD with a one-cycle learning rate and momentum (0.85 to 0.95; Smith and Topin 2018).

    Args:
        network: with an output a class.
        packed: packed images, a file a class.
        epochs, learning_rate, weight_decay, batch_size, augment: of its training; the learning rate is the peak.
        teacher: weight of a second loss, 1 - cosine between a linear map of the network's features and the CLIP
            features of the same image, centred; 0 leaves it out.
        taught: files of CLIP features, one a class, see ``wsl.datasets.class_means.embed_classes``; for the teacher.
        device: ``cpu`` or ``cuda``.
        progress: keeps states of it, and gives the one to go on from.

    Raises:
        FloatingPointError: it diverged.
    """
    images = {part: load_task(packed, part, device=device) for part in ("train", "validation")}
    extra_loss = _Teacher(network, taught, teacher) if teacher else None
    trained = torch.nn.ModuleList([network, *([extra_loss] if extra_loss else [])]).to(device)
    optimizer = make_optimizer(trained, "sgd", learning_rate, weight_decay, momentum=0.9)
    batches = max(len(images["train"][0]) // batch_size, 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=epochs * batches)

    class Loop(EpochLoop):
        def train(self) -> Values:
            return train_epoch(
                *(network, optimizer, images["train"], batch_size, augment),
                after_batch=schedule.step,
                extra_loss=extra_loss,
            )

        def finite(self) -> bool:
            return all(value.isfinite().all() for value in network.state_dict().values())

    Loop(epochs, {"trained": trained, "optimizer": optimizer, "schedule": schedule}, device=device).run(progress)
    loss, accuracy = evaluate(network, *images["validation"])
    log.info("validation loss %.4f, accuracy %.3f over %d classes", loss, accuracy, len(packed))
    return accuracy


class _Teacher(torch.nn.Module):
    """Draws features towards those of CLIP, as far as a linear map can tell them (Romero et al. 2015, FitNets)."""

    def __init__(self, network: SlimResNet18, taught: Sequence[str | Path], weight: float):
        super().__init__()
        targets = []
        for path in taught:
            with open_hdf5(path) as file:
                targets.append(torch.from_numpy(file["features"][...]))
        unit = functional.normalize(torch.cat(targets), dim=1)
        # CLIP's features share a large common direction, which would leave little else to learn.
        self.register_buffer("targets", functional.normalize(unit - unit.mean(0), dim=1))
        self.map = torch.nn.Linear(network.fc.in_features, unit.shape[1])
        self.weight = weight

    def forward(self, features: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        cosine = functional.cosine_similarity(self.map(features), self.targets[places], dim=1)
        return self.weight * (1 - cosine).mean()
