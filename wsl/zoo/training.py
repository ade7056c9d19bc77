"""Train one member (thesis section 3.1)."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from wsl.images.inputs import load_task, normalised
from wsl.zoo.layout import resnet18_layout
from wsl.zoo.member import Member, write_member
from wsl.zoo.network import flatten, resnet18

log = logging.getLogger(__name__)
EVALUATION_BATCH = 512


def train_member(
    packed: Sequence[str | Path],
    out: str | Path,
    plan: dict[str, Any],
    width: int,
    momentum: float,
    schedule: str,
    augment: bool,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Train a member as planned and write its file.

    Args:
        packed: packed images of its classes, in the task's order.
        out: the member's file.
        plan: its row of the plan (see ``wsl.zoo.plan.plan_members``).
        width: of the network.
        momentum: of SGD.
        schedule: ``constant`` or ``cosine`` (to 0 at the last epoch).
        augment: random flips and shifts of training images.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads.

    A loss or weight that turns non-finite ends the training: the member is written as diverged, with what it has.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(plan["seed"])
    images = {part: load_task(packed, part, device=device) for part in ("train", "validation")}
    network = resnet18(width, len(packed)).to(device)
    optimizer = _optimizer(network, plan, momentum)
    scheduler = None
    if schedule == "cosine":
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan["max_epoch"])
    layout = resnet18_layout(width, len(packed))
    names = {plan["early_epoch"]: "early", plan["max_epoch"]: "max"}

    history, snapshots, weights, counters = [], [], [], []
    diverged = False
    for epoch in range(1, plan["max_epoch"] + 1):
        losses = {"epoch": epoch}
        losses["train_loss"], losses["train_accuracy"] = _epoch(
            network, optimizer, *images["train"], plan["batch_size"], augment
        )
        losses["validation_loss"], losses["validation_accuracy"] = evaluate(network, *images["validation"])
        if scheduler:
            scheduler.step()
        history.append(losses)
        log.info("epoch %(epoch)d: train %(train_loss).4f, validation %(validation_loss).4f", losses)
        vector, counts = flatten(network.state_dict(), layout)
        diverged = not (all(math.isfinite(value) for value in losses.values()) and np.isfinite(vector).all())
        if diverged:
            log.warning("member %d diverged in epoch %d; it is kept and left out downstream", plan["member"], epoch)
            break
        if epoch in names:
            snapshots.append({"snapshot": names[epoch], **losses})
            weights.append(vector)
            counters.append(counts)

    columns = ["snapshot", *history[0]]
    member = Member(
        plan={**plan, "width": width, "momentum": momentum, "schedule": schedule, "augment": augment},
        weights=np.array(weights, dtype=np.float32).reshape(-1, layout.size),
        counters=np.array(counters, dtype=np.int64).reshape(-1, len(layout.counters)),
        snapshots=pd.DataFrame(snapshots, columns=columns),
        history=pd.DataFrame(history),
        diverged=diverged,
    )
    write_member(out, member)


@torch.no_grad()
def logits_of(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Return logits (n, classes) of uint8 images (n, 3, h, w), in evaluation mode."""
    network.eval()
    return torch.cat([network(normalised(batch)) for batch in images.split(EVALUATION_BATCH)])


def evaluate(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Return mean cross-entropy (nats) and accuracy in [0, 1] on uint8 images (n, 3, h, w)."""
    logits = logits_of(network, images)
    accuracy = (logits.argmax(1) == labels).float().mean()
    return functional.cross_entropy(logits, labels).item(), accuracy.item()


def _optimizer(network: torch.nn.Module, plan: dict[str, Any], momentum: float) -> torch.optim.Optimizer:
    shared = {"lr": plan["learning_rate"], "weight_decay": plan["weight_decay"], "fused": True}
    if plan["optimizer"] == "adam":
        return torch.optim.Adam(network.parameters(), **shared)
    return torch.optim.SGD(network.parameters(), momentum=momentum, **shared)


def _epoch(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    labels: torch.Tensor,
    batch_size: int,
    augment: bool,
) -> tuple[float, float]:
    network.train()
    total = torch.zeros((), device=images.device)
    correct = torch.zeros((), device=images.device)
    seen = 0
    # Whole batches alone: batch normalisation's statistics of a few left-over images can throw a small network far off.
    whole = max(len(images) // batch_size, 1) * batch_size
    for batch in torch.randperm(len(images))[:whole].to(images.device).split(batch_size):
        inputs = normalised(augmented(images[batch]) if augment else images[batch])
        logits = network(inputs)
        loss = functional.cross_entropy(logits, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(batch)
        correct += (logits.argmax(1) == labels[batch]).sum()
        seen += len(batch)
    return total.item() / seen, correct.item() / seen


def augmented(images: torch.Tensor) -> torch.Tensor:
    """Flip half of the images (n, 3, size, size) left to right and shift each by up to an eighth of its side."""
    count, _, size, _ = images.shape
    flip = torch.rand(count) < 0.5
    reach = size // 8
    shifts = torch.randint(-reach, reach + 1, (2, count))
    # One gather for the whole batch; places shifted in from outside repeat the edge.
    rows = (torch.arange(size) + shifts[0, :, None]).clamp(0, size - 1)
    columns = (torch.arange(size) + shifts[1, :, None]).clamp(0, size - 1)
    columns = torch.where(flip[:, None], columns.flip(1), columns)
    at = torch.arange(count)[:, None, None, None]
    channel = torch.arange(3)[None, :, None, None]
    index = (at, channel, rows[:, None, :, None], columns[:, None, None, :])
    return images[tuple(part.to(images.device) for part in index)]
