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
from wsl.job import Job
from wsl.progress import Progress
from wsl.zoo.epochs import Step, draw_steps, evaluate, make_optimizer, train_epoch
from wsl.zoo.member import Member, write_member
from wsl.zoo.network import flatten, network_for
from wsl.zoo.settings import MOMENTUM, MemberTraining
from wsl.zoo.snapshots import snapshot_names
from wsl.zoo.start import load_start

log = logging.getLogger(__name__)


class Training:
    """A member in training: its network, optimiser, random state and results so far.

    Args:
        packed: packed images of its classes, in the task's order.
        plan: its row of the plan (see ``wsl.zoo.plan.plan_members``).
        settings: what all members share.
        start: weights to start from, see ``wsl.zoo.start``; None: random ones.
        device: ``cpu`` or ``cuda``.

    Raises:
        FloatingPointError: a weight does not fit its storage.

    A loss or weight that turns non-finite ends the training: the member is diverged, with what it has.
    """

    def __init__(
        self,
        packed: Sequence[str | Path],
        plan: dict[str, Any],
        settings: MemberTraining,
        start: str | Path | None = None,
        device: str = "cpu",
    ):
        torch.manual_seed(plan["seed"])
        self.plan, self.augment, self.precision = plan, settings.augment, settings.precision
        self._storage, architecture = settings.storage, settings.architecture
        momentum, schedule = MOMENTUM if plan["optimizer"] == "sgd" else 0.0, settings.schedule
        self._about = {"momentum": momentum, "schedule": schedule, "augment": settings.augment}
        self._about |= architecture.columns()
        self.images = {part: load_task(packed, part, device=device) for part in ("train", "validation")}
        self._layout = architecture.layout(len(packed), self.images["train"][0].shape[-1])
        self.network = network_for(self._layout).to(device)
        if start is not None:
            self.network.load_state_dict(load_start(start))
        rates = (plan["learning_rate"], plan["weight_decay"])
        self.optimizer = make_optimizer(self.network, plan["optimizer"], *rates, momentum)
        self._scheduler = None
        if schedule == "cosine":
            self._scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, plan["max_epoch"])
        self._names = snapshot_names(settings.snapshots, plan["early_epoch"], plan["max_epoch"])
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
            plan={**self._about, **self.plan},
            weights=np.array(self._weights, dtype=self._storage).reshape(len(self._weights), self._layout.size),
            counters=np.array(self._counters, dtype=np.int64).reshape(len(self._counters), len(self._layout.counters)),
            snapshots=pd.DataFrame(self._kept, columns=columns),
            history=pd.DataFrame(self._history),
            diverged=self._diverged,
            layout=self._layout,
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
    settings: MemberTraining,
    start: str | Path | None = None,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Train a member as planned and write its file.

    Args:
        packed: packed images of its classes, in the task's order.
        out: the member's file.
        plan: its row of the plan; its seed draws weights, batches and augmentation.
        settings: what all members share.
        start: weights to start from; None: random ones.
        job: the circumstances.
    """
    torch.set_num_threads(job.threads)
    training = Training(packed, plan, settings, start, job.device)
    train_to_end(training, job.progress)
    write_member(out, training.member())


def train_to_end(training: Training, progress: Progress, part: str = "whole") -> None:
    """Train to the last epoch, from the saved state of a part of the job if there is one."""
    if state := progress.load(part):
        training.restore(state)
    while not training.done:
        training.run_epoch()
        progress.save(training.state, part)
