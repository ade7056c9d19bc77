"""Train one member (thesis section 3.1)."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from wsl.images.inputs import load_task
from wsl.zoo.epochs import evaluate, make_optimizer, train_epoch
from wsl.zoo.layout import resnet18_layout
from wsl.zoo.member import Member, write_member
from wsl.zoo.network import flatten, resnet18
from wsl.zoo.start import load_start

log = logging.getLogger(__name__)


def snapshot_names(snapshots: Sequence[str | int] | str, early: int, last: int) -> dict[int, str]:
    """Return the name of each epoch's snapshot: ``early``, ``max``, else ``epoch4``.

    Args:
        snapshots: ``early``, ``max`` and numbers of epochs, or ``geometric``: 0, 1, 2, 4, 8, ... and ``max``.
        early, last: epochs that ``early`` and ``max`` stand for.
    """
    if snapshots == "geometric":
        snapshots = [0, *(2**power for power in range(last.bit_length()) if 2**power < last), "max"]
    named = {"early": early, "max": last}
    epochs = {name if name in named else f"epoch{name}": named.get(name, name) for name in snapshots}
    # Of two names for one epoch the word wins, which others look for.
    return {epochs[name]: name for name in sorted(epochs, key=lambda name: (epochs[name], name in named))}


def train_member(
    packed: Sequence[str | Path],
    out: str | Path,
    plan: dict[str, Any],
    width: int,
    momentum: float,
    schedule: str,
    augment: bool,
    snapshots: Sequence[str | int] | str = ("early", "max"),
    start: str | Path | None = None,
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
        snapshots: which weights to keep, see ``snapshot_names``.
        start: the weights it starts from, see ``wsl.zoo.start``; None: random ones of its own.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads.

    A loss or weight that turns non-finite ends the training: the member is written as diverged, with what it has.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(plan["seed"])
    images = {part: load_task(packed, part, device=device) for part in ("train", "validation")}
    network = resnet18(width, len(packed)).to(device)
    if start is not None:
        network.load_state_dict(load_start(start))
    rates = (plan["learning_rate"], plan["weight_decay"])
    optimizer = make_optimizer(network, plan["optimizer"], *rates, momentum)
    scheduler = None
    if schedule == "cosine":
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan["max_epoch"])
    layout = resnet18_layout(width, len(packed))
    names = snapshot_names(snapshots, plan["early_epoch"], plan["max_epoch"])

    history, kept, weights, counters = [], [], [], []
    diverged = False
    for epoch in range(0 if 0 in names else 1, plan["max_epoch"] + 1):
        losses = {"epoch": epoch}
        if epoch == 0:
            losses["train_loss"], losses["train_accuracy"] = evaluate(network, *images["train"])
        else:
            losses["train_loss"], losses["train_accuracy"] = train_epoch(
                network, optimizer, *images["train"], plan["batch_size"], augment
            )
        losses["validation_loss"], losses["validation_accuracy"] = evaluate(network, *images["validation"])
        if scheduler and epoch:
            scheduler.step()
        history.append(losses)
        log.info("epoch %(epoch)d: train %(train_loss).4f, validation %(validation_loss).4f", losses)
        vector, counts = flatten(network.state_dict(), layout)
        diverged = not (all(math.isfinite(value) for value in losses.values()) and np.isfinite(vector).all())
        if diverged:
            log.warning("member %d diverged in epoch %d; it is kept and left out downstream", plan["member"], epoch)
            break
        if epoch in names:
            kept.append({"snapshot": names[epoch], **losses})
            weights.append(vector)
            counters.append(counts)

    columns = ["snapshot", *history[0]]
    member = Member(
        plan={**plan, "width": width, "momentum": momentum, "schedule": schedule, "augment": augment},
        weights=np.array(weights, dtype=np.float32).reshape(-1, layout.size),
        counters=np.array(counters, dtype=np.int64).reshape(-1, len(layout.counters)),
        snapshots=pd.DataFrame(kept, columns=columns),
        history=pd.DataFrame(history),
        diverged=diverged,
    )
    write_member(out, member)
