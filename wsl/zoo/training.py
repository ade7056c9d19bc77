"""Train one member (thesis section 3.1)."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from wsl.images.inputs import load_task
from wsl.progress import NOWHERE, Progress
from wsl.zoo.epochs import Step, draw_steps, evaluate, make_optimizer, train_epoch
from wsl.zoo.layout import resnet18_layout
from wsl.zoo.member import Member, write_member
from wsl.zoo.network import flatten, resnet18
from wsl.zoo.snapshots import snapshot_names
from wsl.zoo.start import load_start

log = logging.getLogger(__name__)


class Training:
    """A member in training: its network and optimiser, random numbers of its own, and what is kept of it.

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
        self._scheduler = None
        if schedule == "cosine":
            self._scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, plan["max_epoch"])
        self._layout = resnet18_layout(width, len(packed))
        self._names = snapshot_names(snapshots, plan["early_epoch"], plan["max_epoch"])
        self._random = torch.get_rng_state()
        self._history, self._kept, self._weights, self._counters = [], [], [], []
        self._epoch, self._diverged = 0, False
        if 0 in self._names:
            self._record(*evaluate(self.network, *self.images["train"]))

    def state(self) -> dict[str, Any]:
        """Return all that going on, or being done, needs: tensors and plain values."""
        scheduler = self._scheduler.state_dict() if self._scheduler else None
        going = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(), "scheduler": scheduler}
        return {
            **({} if self.done else going),
            "random": self._random,
            "history": self._history,
            "kept": self._kept,
            "weights": [torch.from_numpy(one) for one in self._weights],
            "counters": [torch.from_numpy(one) for one in self._counters],
            "epoch": self._epoch,
            "diverged": self._diverged,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state of a training with the same arguments."""
        self._random, self._history, self._kept = state["random"].cpu(), state["history"], state["kept"]
        self._weights, self._counters = ([one.cpu().numpy() for one in state[key]] for key in ("weights", "counters"))
        self._epoch, self._diverged = state["epoch"], state["diverged"]
        if not self.done:
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            if self._scheduler:
                self._scheduler.load_state_dict(state["scheduler"])

    @property
    def done(self) -> bool:
        """Whether no epoch is left, or it diverged."""
        return self._diverged or self._epoch == self.plan["max_epoch"]

    def run_epoch(self) -> None:
        """Train for an epoch."""
        with self._own_randomness():
            losses = train_epoch(
                self.network,
                self.optimizer,
                *self.images["train"],
                self.plan["batch_size"],
                self.augment,
                self.precision,
            )
        self.close_epoch(*losses)

    def draw_steps(self) -> list[Step]:
        """Return what the next epoch's steps see, for those who train in its place; then ``close_epoch``."""
        images, _ = self.images["train"]
        with self._own_randomness():
            return list(draw_steps(images, self.plan["batch_size"], self.augment))

    def close_epoch(self, loss: float, accuracy: float) -> None:
        """Take note of an epoch of this training loss (nats) and accuracy; keep its weights where they are wanted."""
        self._epoch += 1
        if self._scheduler:
            self._scheduler.step()
        self._record(loss, accuracy)

    def member(self) -> Member:
        """Return what is kept."""
        columns = ["snapshot", *self._history[0]]
        return Member(
            plan={**self.plan, **self._about},
            weights=np.array(self._weights, dtype=self._storage).reshape(-1, self._layout.size),
            counters=np.array(self._counters, dtype=np.int64).reshape(-1, len(self._layout.counters)),
            snapshots=pd.DataFrame(self._kept, columns=columns),
            history=pd.DataFrame(self._history),
            diverged=self._diverged,
        )

    def _stored(self, vector: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            stored = vector.astype(self._storage)
        if not np.isfinite(stored).all():
            raise FloatingPointError(
                f"member {self.plan['member']}: a weight of {abs(vector).max():.3g} does not fit {self._storage}; set "
                "zoo.storage to float32"
            )
        return stored

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        torch.set_rng_state(self._random)
        yield
        self._random = torch.get_rng_state()

    def _record(self, loss: float, accuracy: float) -> None:
        losses = {"epoch": self._epoch, "train_loss": loss, "train_accuracy": accuracy}
        losses["validation_loss"], losses["validation_accuracy"] = evaluate(self.network, *self.images["validation"])
        self._history.append(losses)
        log.info(
            "member %d, epoch %d: train %.4f, validation %.4f",
            *(self.plan["member"], self._epoch, loss, losses["validation_loss"]),
        )
        vector, counts = flatten(self.network.state_dict(), self._layout)
        self._diverged = not (all(map(math.isfinite, losses.values())) and np.isfinite(vector).all())
        if self._diverged:
            log.warning(
                "member %d diverged in epoch %d; it is kept and left out downstream", self.plan["member"], self._epoch
            )
        elif self._epoch in self._names:
            self._kept.append({"snapshot": self._names[self._epoch], **losses})
            self._weights.append(self._stored(vector))
            self._counters.append(counts)


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

    ``threads``: of the CPU. ``progress``: keeps states of it, and gives the one to go on from.
    """
    torch.set_num_threads(threads)
    training = Training(packed, plan, width, momentum, schedule, augment, snapshots, storage, precision, start, device)
    train_to_end(training, progress)
    write_member(out, training.member())


def train_to_end(training: Training, progress: Progress, part: str = "whole") -> None:
    """Train from where a part of ``progress`` says, or from the start."""
    if state := progress.load(part):
        training.restore(state)
    while not training.done:
        training.run_epoch()
        progress.save(training.state, part)
