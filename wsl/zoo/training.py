"""Train one member (thesis section 3.1)."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from wsl.epoch_loop import EpochLoop, Values
from wsl.images.inputs import load_task
from wsl.progress import NOWHERE, Progress
from wsl.zoo.epochs import Step, draw_steps, evaluate, make_optimizer, train_epoch
from wsl.zoo.layout import resnet18_layout
from wsl.zoo.member import Member, write_member
from wsl.zoo.network import flatten, resnet18
from wsl.zoo.snapshots import snapshot_names
from wsl.zoo.start import load_start

log = logging.getLogger(__name__)


class Training(EpochLoop):
    """The training of one member: its network and optimiser, its own random numbers, and the snapshots that are kept.

    Args:
        packed: packed images of its classes, in the task's order.
        plan: its row of the plan (see ``wsl.zoo.plan.plan_members``).
        width: of the network.
        momentum: of SGD.
        schedule: ``constant`` or ``cosine`` (to 0 at the last epoch).
        augment: random flips and shifts of training images.
        snapshots: which weights to keep, see ``wsl.zoo.snapshots.snapshot_names``.
        storage: ``float32``, or ``float16`` for files half as large: what weights that are kept are rounded to.
        precision: ``float32`` or ``bfloat16``: what training steps compute in, see ``wsl.zoo.epochs.computing_in``.
        start: the weights it starts from, see ``wsl.zoo.start``; None: random ones of its own.
        device: ``cpu`` or ``cuda``.

    Raises:
        FloatingPointError: a weight does not fit its storage.

    A loss or weight that turns non-finite ends the training: the member is diverged, with what it has.
    """

    def __init__(
        self,
        packed: Sequence[str | Path],
        plan: dict[str, Any],
        width: int,
        momentum: float,
        schedule: str,
        augment: bool,
        snapshots: Sequence[str | int] | str = ("early", "max"),
        storage: str = "float32",
        precision: str = "float32",
        start: str | Path | None = None,
        device: str = "cpu",
    ):
        torch.manual_seed(plan["seed"])
        self.plan, self.augment, self.precision, self._storage = plan, augment, precision, storage
        self._about = {"width": width, "momentum": momentum, "schedule": schedule, "augment": augment}
        self.images = {part: load_task(packed, part, device=device) for part in ("train", "validation")}
        self.network = resnet18(width, len(packed)).to(device)
        if start is not None:
            self.network.load_state_dict(load_start(start))
        rates = (plan["learning_rate"], plan["weight_decay"])
        self.optimizer = make_optimizer(self.network, plan["optimizer"], *rates, momentum)
        scheduler = None
        if schedule == "cosine":
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, plan["max_epoch"])
        self._layout = resnet18_layout(width, len(packed))
        self._names = snapshot_names(snapshots, plan["early_epoch"], plan["max_epoch"])
        self._weights, self._counters = [], []  # of the snapshots that are kept
        self._flat: tuple[np.ndarray, np.ndarray] | None = None  # weights and counters after the last epoch
        super().__init__(
            plan["max_epoch"],
            {"network": self.network, "optimizer": self.optimizer},
            {"weights": self._weights, "counters": self._counters},
            scheduler,
            member=f"{plan['member']:05d}",
            device=device,
        )

    def draw_steps(self) -> list[Step]:
        """Return the batches of the next epoch, for a caller that trains it and then calls ``close``."""
        images, _ = self.images["train"]
        with self.randomness():
            return list(draw_steps(images, self.plan["batch_size"], self.augment))

    def member(self) -> Member:
        """Return what is kept."""
        weights, counters = ([value.cpu().numpy() for value in kept] for kept in (self._weights, self._counters))
        snapshots = [
            {"snapshot": self._names[row["epoch"]], **row} for row in self.history if row["epoch"] in self._names
        ]
        return Member(
            plan={**self.plan, **self._about},
            weights=np.array(weights, dtype=self._storage).reshape(-1, self._layout.size),
            counters=np.array(counters, dtype=np.int64).reshape(-1, len(self._layout.counters)),
            snapshots=pd.DataFrame(snapshots[: len(weights)], columns=["snapshot", *self.history[0]]),
            history=pd.DataFrame(self.history),
            diverged=self.diverged,
        )

    def initial(self) -> Values | None:
        if 0 not in self._names:
            return None
        loss, accuracy = evaluate(self.network, *self.images["train"])
        return {"train_loss": loss, "train_accuracy": accuracy}

    def train(self) -> Values:
        batch_size = self.plan["batch_size"]
        return train_epoch(self.network, self.optimizer, self.images["train"], batch_size, self.augment, self.precision)

    def evaluate(self) -> Values:
        loss, accuracy = evaluate(self.network, *self.images["validation"])
        self._flat = flatten(self.network.state_dict(), self._layout)
        return {"validation_loss": loss, "validation_accuracy": accuracy}

    def finite(self) -> bool:
        return bool(np.isfinite(self._flat[0]).all())

    def keep(self) -> None:
        if self.epoch in self._names:
            weights, counters = self._flat
            self._weights.append(torch.from_numpy(self._stored(weights)))
            self._counters.append(torch.from_numpy(counters))

    def diverge(self) -> None:
        member = self.plan["member"]
        log.warning("member %d diverged in epoch %d; it is kept and left out downstream", member, self.epoch)

    def _stored(self, vector: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            stored = vector.astype(self._storage)
        if not np.isfinite(stored).all():
            raise FloatingPointError(
                f"member {self.plan['member']}: a weight of {abs(vector).max():.3g} does not fit {self._storage}; set "
                "zoo.storage to float32"
            )
        return stored


def train_member(
    packed: Sequence[str | Path],
    out: str | Path,
    plan: dict[str, Any],
    width: int,
    momentum: float,
    schedule: str,
    augment: bool,
    snapshots: Sequence[str | int] | str = ("early", "max"),
    storage: str = "float32",
    precision: str = "float32",
    start: str | Path | None = None,
    device: str = "cpu",
    threads: int = 1,
    progress: Progress = NOWHERE,
) -> None:
    """Train a member as planned and write its file, ``out``; see ``Training``.

    Args:
        threads: CPU threads.
        progress: saves states of the training, and returns the one to resume from.
    """
    torch.set_num_threads(threads)
    training = Training(packed, plan, width, momentum, schedule, augment, snapshots, storage, precision, start, device)
    training.run(progress)
    write_member(out, training.member())
