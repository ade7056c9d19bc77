"""Train one member (thesis section 3.1)."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from wsl.images.inputs import load_task
from wsl.images.reading import USUAL, Normalisation
from wsl.training.epoch_loop import EpochLoop, Values
from wsl.zoo.epochs import Step, draw_steps, evaluate, make_optimizer, train_epoch
from wsl.zoo.initialisation import initialise
from wsl.zoo.member import Member
from wsl.zoo.network import flatten, network_for
from wsl.zoo.settings import DEFAULT, MOMENTUM, MemberTraining, Network
from wsl.zoo.snapshots import snapshot_names
from wsl.zoo.start import load_start

log = logging.getLogger(__name__)


class Training(EpochLoop):
    """The training of one member, with its own random numbers, and the snapshots that are kept.

    A loss or weight that becomes non-finite ends the training: the member has diverged, and keeps earlier snapshots.

    Args:
        packed: packed images of its classes, in the task's order.
        plan: its row of the plan (see ``wsl.zoo.plan.plan_members``).
        settings: shared by all members.
        start: weights to start from, see ``wsl.zoo.start``; None: random ones.
        device: ``cpu`` or ``cuda``.
        normalisation: of images.

    Raises:
        FloatingPointError: a weight does not fit its storage.
    """

    def __init__(
        self,
        packed: Sequence[str | Path],
        plan: dict[str, Any],
        settings: MemberTraining,
        start: str | Path | None = None,
        device: str = "cpu",
        normalisation: Normalisation = USUAL,
    ):
        torch.manual_seed(plan["seed"])
        self.plan, self.augment, self.precision = plan, settings.augment, settings.precision
        self._storage, architecture = settings.storage, settings.architecture
        momentum = MOMENTUM if plan["optimizer"] == "sgd" else 0.0
        self._about = {"momentum": momentum, "schedule": settings.schedule, "augment": settings.augment}
        self._about |= architecture.columns()
        self.packed = packed
        self.images = {part: load_task(packed, part, device=device) for part in ("train", "validation")}
        self.validation: tuple[float, float] | None = None  # loss and accuracy of this epoch, if known already
        size = self.images["train"][0].shape[-1]
        network = Network(architecture=architecture, classes=len(packed), size=size, normalisation=normalisation)
        self._layout = architecture.started(network.layout, start)
        self.network = network_for(self._layout)
        initialise(self.network, plan.get("initialisation", DEFAULT))
        self.network.to(device)
        if start is not None and self._layout.frozen is None:
            self.network.load_state_dict(load_start(start))
        architecture.for_training(self.network)
        rate, decay = plan["learning_rate"], plan["weight_decay"]
        self.optimizer = make_optimizer(self.network, plan["optimizer"], rate, decay, momentum)
        scheduler = None
        if settings.schedule == "cosine":
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, plan["max_epoch"])
        self._names = snapshot_names(settings.snapshots, plan["early_epoch"], plan["max_epoch"])
        self._weights, self._counters = [], []  # of the snapshots that are kept
        self._flat: tuple[np.ndarray, np.ndarray] | None = None  # weights and counters after the last epoch
        if "batch_seed" in plan:  # of the whole cohort, so that its members draw the same batches
            torch.manual_seed(plan["batch_seed"])
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

    def draws_like(self, other: "Training") -> bool:
        """Return whether the next epoch has the same batches as that of another training of the same images."""
        sizes = [training.plan["batch_size"] for training in (self, other)]
        return sizes[0] == sizes[1] and torch.equal(self._random, other._random)

    def draw_like(self, other: "Training") -> None:
        """Draw the next random numbers after those of another training."""
        self._random = other._random.clone()

    def member(self) -> Member:
        """Return the member with the snapshots that are kept."""
        weights, counters = ([value.cpu().numpy() for value in kept] for kept in (self._weights, self._counters))
        rows = [row for row in self.history if row["epoch"] in self._names]
        snapshots = [{"snapshot": self._names[row["epoch"]], **row} for row in rows]
        return Member(
            plan={**self._about, **self.plan},
            weights=np.array(weights, dtype=self._storage).reshape(len(weights), self._layout.size),
            counters=np.array(counters, dtype=np.int64).reshape(len(counters), len(self._layout.counters)),
            snapshots=pd.DataFrame(snapshots[: len(weights)], columns=["snapshot", *self.history[0]]),
            history=pd.DataFrame(self.history),
            diverged=self.diverged,
            layout=self._layout,
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
        loss, accuracy = self.validation or evaluate(self.network, *self.images["validation"])
        self.validation = None
        self._flat = flatten(self.network.architecture.snapshot(self.network), self._layout)
        return {"validation_loss": loss, "validation_accuracy": accuracy}

    def finite(self) -> bool:
        return bool(np.isfinite(self._flat[0]).all())

    def keep(self) -> None:
        if self.epoch not in self._names:
            return
        weights, counters = self._flat
        with np.errstate(over="ignore"):
            stored = weights.astype(self._storage)
        if not np.isfinite(stored).all():
            fault = f"a weight of {abs(weights).max():.3g} does not fit {self._storage}; set zoo.storage to float32"
            raise FloatingPointError(f"member {self.plan['member']}: {fault}")
        self._weights.append(torch.from_numpy(stored))
        self._counters.append(torch.from_numpy(counters))

    def diverge(self) -> None:
        member = self.plan["member"]
        log.warning("member %d diverged in epoch %d; later stages do not use it", member, self.epoch)
