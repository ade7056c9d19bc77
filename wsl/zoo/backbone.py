"""Train the backbone that `finetuned` members start from."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from wsl.files.hdf5 import open_hdf5
from wsl.images.inputs import load_task
from wsl.jobs.job import Job
from wsl.training.epoch_loop import EpochLoop, Values
from wsl.zoo.epochs import evaluate, make_optimizer, train_epoch
from wsl.zoo.network import network_for, with_classes, with_zero_head
from wsl.zoo.settings import MOMENTUM, Network
from wsl.zoo.start import write_start
from wsl.zoo.start_settings import ClassifierTraining

log = logging.getLogger(__name__)


def train_backbone(
    packed: Sequence[str | Path],
    out: str | Path,
    network: Network,
    settings: ClassifierTraining,
    taught: Sequence[str | Path] = (),
    job: Job = Job(),  # noqa: B008
) -> None:
    """Train a backbone on classes that no task uses and write it as a start (regime ``finetuned``).

    Its head is replaced by zeros, which give all classes equal logits, so that the order of a task's classes stays a
    symmetry of the zoo.

    Args:
        packed: packed images, one file per class of the backbone.
        out: safetensors file.
        network: of the members.
        settings: of its training.
        taught: files of CLIP features, see ``train_on_classes``.
        job: its seed draws weights, batches and augmentation.

    Raises:
        FloatingPointError: training diverged.
    """
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    backbone = network_for(with_classes(network.layout, len(packed))).to(job.device)
    accuracy = train_on_classes(backbone, packed, settings, taught, job)
    about = {"regime": "finetuned", "classes": len(packed), "epochs": settings.epochs, "validation_accuracy": accuracy}
    write_start(out, with_zero_head(backbone.state_dict(), network.layout), network.layout, about)


def train_on_classes(
    network: nn.Module,
    packed: Sequence[str | Path],
    settings: ClassifierTraining,
    taught: Sequence[str | Path] = (),
    job: Job = Job(),  # noqa: B008
) -> float:
    """Train a network to distinguish all classes of ``packed`` and return its validation accuracy.

    SGD with a one-cycle learning rate and momentum (0.85 to 0.95; Smith and Topin 2018).

    Args:
        network: with one output per class, see ``wsl.zoo.network.network_for``.
        packed: packed images, one file per class.
        settings: of its training. With a ``teacher``, a second loss of this weight is 1 - cosine between a linear map
            of the network's features and the centred CLIP features of the same image.
        taught: files of CLIP features, one per class, see ``wsl.datasets.clip.embed_classes``; for the teacher.
        job: device and progress.

    Raises:
        FloatingPointError: training diverged.
    """
    device, batch_size = job.device, settings.batch_size
    images = {part: load_task(packed, part, device=device) for part in ("train", "validation")}
    extra_loss = _Teacher(network, taught, settings.teacher) if settings.teacher else None
    trained = nn.ModuleList([network, *([extra_loss] if extra_loss else [])]).to(device)
    optimizer = make_optimizer(trained, "sgd", settings.learning_rate, settings.weight_decay, MOMENTUM)
    steps = settings.epochs * max(len(images["train"][0]) // batch_size, 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=steps)
    arguments = (network, optimizer, images["train"], batch_size, settings.augment)

    class Loop(EpochLoop):
        def train(self) -> Values:
            return train_epoch(*arguments, after_batch=schedule.step, extra_loss=extra_loss)

        def finite(self) -> bool:
            return all(value.isfinite().all() for value in network.state_dict().values())

    parts = {"trained": trained, "optimizer": optimizer, "schedule": schedule}
    Loop(settings.epochs, parts, device=device).run(job.progress)
    loss, accuracy = evaluate(network, *images["validation"])
    log.info("validation loss %.4f, accuracy %.3f over %d classes", loss, accuracy, len(packed))
    return accuracy


class _Teacher(nn.Module):
    """Pulls a linear map of features towards CLIP's features of the same images (Romero et al. 2015, FitNets)."""

    def __init__(self, network: nn.Module, taught: Sequence[str | Path], weight: float):
        super().__init__()
        targets = []
        for path in taught:
            with open_hdf5(path) as file:
                targets.append(torch.from_numpy(file["features"][...]))
        unit = functional.normalize(torch.cat(targets), dim=1)
        # Without centring, the large common direction of CLIP's features would dominate.
        self.register_buffer("targets", functional.normalize(unit - unit.mean(0), dim=1))
        head = network.get_submodule(network.architecture.head(network))
        self.map = nn.Linear(head.in_features, unit.shape[1])
        self.weight = weight

    def forward(self, features: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        cosine = functional.cosine_similarity(self.map(features), self.targets[places], dim=1)
        return self.weight * (1 - cosine).mean()
