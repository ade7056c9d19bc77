"""Train a network for one epoch, or evaluate it, on images in memory."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch.nn import functional

from wsl.images.inputs import normalised
from wsl.zoo.network import features_and_logits

EVALUATION_BATCH = 512


@torch.no_grad()
def evaluate(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Return mean cross-entropy (nats) and accuracy in [0, 1] on uint8 images (n, 3, h, w).

    ``network`` is one of ``wsl.zoo.network.network_for``.
    """
    network.eval()
    logits = torch.cat([network(normalised(batch, network.normalisation)) for batch in images.split(EVALUATION_BATCH)])
    accuracy = (logits.argmax(1) == labels).float().mean()
    return functional.cross_entropy(logits, labels).item(), accuracy.item()


def make_optimizer(
    network: torch.nn.Module, name: str, learning_rate: float, weight_decay: float, momentum: float
) -> torch.optim.Optimizer:
    """Return ``adam``, or ``sgd`` with momentum, over all parameters of the network."""
    shared = {"lr": learning_rate, "weight_decay": weight_decay, "fused": True}
    if name == "adam":
        return torch.optim.Adam(network.parameters(), **shared)
    return torch.optim.SGD(network.parameters(), momentum=momentum, **shared)


def train_epoch(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    data: tuple[torch.Tensor, torch.Tensor],
    batch_size: int,
    augment: bool,
    precision: str = "float32",
    after_batch: Callable[[], None] = lambda: None,
    extra_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
) -> dict[str, float]:
    """Train for one epoch and return ``train_loss``, the mean cross-entropy (nats), and ``train_accuracy``.

    The order of images and their augmentation come from torch's global generator.

    Args:
        network: of ``wsl.zoo.network.network_for``.
        optimizer: of its parameters.
        data: uint8 images (n, 3, h, w) and labels (n,) on the network's device.
        batch_size: images per step; left-over images are not used in this epoch.
        augment: see ``augmented``.
        precision: see ``computing_in``.
        after_batch: for the step of a schedule.
        extra_loss: added to the cross-entropy; takes the inputs of the head (batch, features) and the images'
            positions (batch,).
    """
    images, labels = data
    network.train()
    total, correct = (torch.zeros((), device=images.device) for _ in range(2))
    count = 0
    for step in draw_steps(images, batch_size, augment):
        batch = step.batch.to(images.device)
        chosen = moved(images[batch], step.moves) if step.moves else images[batch]
        inputs = normalised(chosen, network.normalisation)
        with computing_in(precision, images.device):
            features, logits = features_and_logits(network, inputs) if extra_loss else (None, network(inputs))
        loss = functional.cross_entropy(widened(logits), labels[batch])
        optimizer.zero_grad()
        (loss + extra_loss(features, batch) if extra_loss else loss).backward()
        optimizer.step()
        after_batch()
        total += loss.detach() * len(batch)
        correct += (logits.argmax(1) == labels[batch]).sum()
        count += len(batch)
    return {"train_loss": total.item() / count, "train_accuracy": correct.item() / count}


def computing_in(precision: str, device: torch.device) -> AbstractContextManager:
    """Return a context in which forward passes compute in ``float32`` or, by autocast on a GPU, in ``bfloat16``.

    A CPU computes in float32: its gradients of narrow convolutions in bfloat16 are wrong, up to NaN (torch 2.15).
    """
    if device.type == "mps":  # whose autocast is younger than the oldest torch that works
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16" and device.type == "cuda")


def widened(logits: torch.Tensor) -> torch.Tensor:
    """Return logits with at least the bits of float32, for losses."""
    return logits.float() if logits.dtype == torch.bfloat16 else logits


class Moves(NamedTuple):
    """Augmentation of n images: ``flips`` (n,), left to right, and ``shifts`` (2, n), pixels down and right."""

    flips: torch.Tensor
    shifts: torch.Tensor


class Step(NamedTuple):
    """One step of training: positions of its images (n,), and their augmentation, if any."""

    batch: torch.Tensor
    moves: Moves | None


def draw_steps(images: torch.Tensor, batch_size: int, augment: bool) -> Iterator[Step]:
    """Draw the steps of an epoch over images (n, 3, size, size) from torch's global generator.

    Only whole batches, or all images if they are fewer: batch-normalisation statistics of a few left-over images can
    derail a small network.
    """
    used = max(len(images) // batch_size, 1) * batch_size
    for batch in torch.randperm(len(images))[:used].split(batch_size):
        yield Step(batch, draw_moves(len(batch), images.shape[-1]) if augment else None)


def draw_moves(count: int, size: int) -> Moves:
    """Draw flips of half of the images, and shifts by up to an eighth of their side."""
    reach = size // 8
    return Moves(torch.rand(count) < 0.5, torch.randint(-reach, reach + 1, (2, count)))


def augmented(images: torch.Tensor) -> torch.Tensor:
    """Flip half of the images (n, 3, size, size) left to right and shift each by up to an eighth of its side."""
    return moved(images, draw_moves(len(images), images.shape[-1]))


def moved(images: torch.Tensor, moves: Moves) -> torch.Tensor:
    """Flip and shift images (n, 3, size, size)."""
    count, _, size, _ = images.shape
    # Pixels shifted in from outside repeat the edge.
    rows, columns = (torch.arange(size) + moves.shifts[:, :, None]).clamp(0, size - 1)
    columns = torch.where(moves.flips[:, None], columns.flip(1), columns)
    # A single gather of pixels for the whole batch.
    pixels = (torch.arange(count)[:, None, None] * size + rows[:, :, None]) * size + columns[:, None, :]
    flat = images.permute(0, 2, 3, 1).reshape(-1, 3)
    return flat.index_select(0, pixels.flatten().to(images.device)).view(count, size, size, 3).permute(0, 3, 1, 2)
