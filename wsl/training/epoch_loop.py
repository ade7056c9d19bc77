"""The epoch loop of every training: schedule, resuming, early stopping, history and the check for divergence."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from wsl.jobs.progress import NOWHERE, Progress

log = logging.getLogger(__name__)
Values = dict[str, float]  # losses and accuracies by the names of columns of a history


class EpochLoop:
    """One training, epoch by epoch; a subclass trains and evaluates.

    Its random numbers come from a generator state of its own, so that several trainings can alternate.

    Args:
        epochs: number of epochs.
        parts: objects with ``state_dict`` that training changes, by name: modules, optimisers, schedules.
        kept: lists and dicts that ``keep`` fills, by name; they are saved in states.
        scheduler: steps after each epoch, and is saved in states.
        patience: epochs without a lower ``validation_loss`` after which training stops; None: never.
        member: name of the trained member, ``00017``; the state of a finished member holds only what is kept.
        device: where states are loaded to.

    Attributes:
        epoch: number of the last finished epoch.
        history: one row per epoch.
        diverged: whether a value or weight became non-finite.
    """

    def __init__(
        self,
        epochs: int,
        parts: dict[str, Any],
        kept: dict[str, Any] | None = None,
        scheduler: Any = None,
        patience: int | None = None,
        member: str | None = None,
        device: str = "cpu",
    ):
        self.epochs, self.patience, self._member, self._device = epochs, patience, member, device
        self._scheduler, self._kept, self._name = scheduler, kept or {}, member or "whole"
        self._parts = {**parts, "scheduler": scheduler} if scheduler else parts
        self.epoch, self.diverged = 0, False
        self.history: list[Values] = []
        self._random, self._progress = torch.get_rng_state(), NOWHERE

    def train(self) -> Values:
        """Train for one epoch and return its values."""
        raise NotImplementedError

    def initial(self) -> Values | None:
        """Prepare the first epoch; values that are returned become the history's row of epoch 0."""

    def evaluate(self) -> Values:
        """Return more values of a trained epoch."""
        return {}

    def finite(self) -> bool:
        """Return whether all weights are finite; losses are checked in any case."""
        return True

    def keep(self) -> Values | None:
        """Keep results of an epoch that did not diverge; may return more values, which need not be finite."""

    def diverge(self) -> None:
        """Act on a non-finite value or weight; unless this raises, training ends."""
        raise FloatingPointError(f"the loss or a weight became non-finite in epoch {self.epoch}; lower learning_rate")

    @property
    def done(self) -> bool:
        """Whether no epoch will follow."""
        if self.diverged or self.epoch >= self.epochs:
            return True
        if self.patience is None:
            return False
        best = min(self.history, key=lambda row: row["validation_loss"], default={"epoch": 0})
        return self.epoch - best["epoch"] >= self.patience

    def run(self, progress: Progress = NOWHERE) -> None:
        """Train to the end, from the last state in ``progress`` or from the start."""
        self.begin(progress)
        while not self.done:
            with self.randomness():
                values = self.train()
            self.close(values)
        torch.set_rng_state(self._random)  # also after a resume: what follows draws the same numbers
        if not self.diverged and self.epoch < self.epochs:
            log.info("stopped in epoch %d: no lower validation loss for %d epochs", self.epoch, self.patience)

    def begin(self, progress: Progress = NOWHERE) -> None:
        """Load the last state from ``progress``, or record the untrained state; states are saved there from now on."""
        self._progress = progress
        state = progress.load(self._name, self._device)
        if state is not None:
            self._restore(state)
        progress.history.cut(self.epoch if state else -1, self._member)
        if state is None:
            with self.randomness():
                values = self.initial()
                if values is not None:
                    self._record(values)

    def close(self, values: Values) -> None:
        """Finish an epoch with the values of its training: evaluate it, record it, and save a state."""
        self.epoch += 1
        if self._scheduler:
            self._scheduler.step()
        with self.randomness():
            self._record(values)
        self._progress.save(self._state, self._name, now=self._final)

    @contextmanager
    def randomness(self) -> Iterator[None]:
        """Draw from this training's own random numbers in the block."""
        torch.set_rng_state(self._random)
        yield
        self._random = torch.get_rng_state()

    @property
    def _final(self) -> bool:
        return self._member is not None and self.done

    def _record(self, values: Values) -> None:
        values = {**values, **self.evaluate()}
        self.diverged = not (all(map(math.isfinite, values.values())) and self.finite())
        if not self.diverged:
            values.update(self.keep() or {})
        self.history.append({"epoch": self.epoch, **values})
        self._progress.history.add(self.epoch, self.epochs, values, self._member)
        prefix = f"member {self._member}, " if self._member else ""
        shown = ", ".join(f"{name.replace('_', ' ')} {value:.5g}" for name, value in values.items())
        log.info("%sepoch %d of %d: %s", prefix, self.epoch, self.epochs, shown)
        if self.diverged:
            self.diverge()

    def _state(self) -> dict[str, Any]:
        parts = {} if self._final else {name: part.state_dict() for name, part in self._parts.items()}
        reached = {"epoch": self.epoch, "history": self.history, "diverged": self.diverged}
        return {**parts, **self._kept, **reached, "random": self._random}

    def _restore(self, state: dict[str, Any]) -> None:
        for name, part in self._parts.items():
            if name in state:
                part.load_state_dict(state[name])
        for name, values in self._kept.items():
            values.extend(state[name]) if isinstance(values, list) else values.update(state[name])
        self.epoch, self.history, self.diverged = (state[name] for name in ("epoch", "history", "diverged"))
        self._random = state["random"].cpu()
