"""Fine-tuning on a held-out task: models of one task are trained together where that is faster."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from wsl.evaluation.settings import FineTuning
from wsl.images.tasks import TaskImages
from wsl.randomness import integer_seed
from wsl.zoo.epochs import Step, draw_steps, make_optimizer, train_epoch
from wsl.zoo.layout import Layout
from wsl.zoo.network import flatten, network_for, state_dict
from wsl.zoo.stack import Stack
from wsl.zoo.stack_choice import kind_for, most_together


def fine_tuned(
    models: Sequence[np.ndarray],
    task: str,
    images: TaskImages,
    layout: Layout,
    settings: FineTuning,
    device: str = "cpu",
) -> list[dict[int, np.ndarray]]:
    """Train models on all training images of a task; return the weights of each after each of ``settings.epochs``.

    The seed of the batches depends on the task only, so all models, and all methods, see the same batches. A model that
    is trained with others equals itself trained alone, up to rounding.

    Args:
        models: flat weights (n_weights,) before fine-tuning.
        task: see ``wsl.images.reading.join_task``.
        images: of all classes.
        layout: of the weights.
        settings: epochs and recipe.
        device: ``cpu`` or ``cuda``.
    """
    if not models or not settings.epochs:
        return [{} for _ in models]
    data, size, kind = tuple(tensor.to(device) for tensor in images.of_task(task)), 1, None
    if len(models) > 1:
        first = _Tuning(models[0], data, layout, settings, device)
        kind, size = kind_for(first), len(models)
        if kind is None:
            size = 1
        elif device == "cpu":
            size = most_together(first, settings.batch_size)
    tuned = []
    for start in range(0, len(models), size):
        tunings = [_Tuning(weights, data, layout, settings, device) for weights in models[start : start + size]]
        stack = Stack(tunings, kind) if len(tunings) > 1 else None
        torch.manual_seed(integer_seed(0, "fine-tuning", task))
        for _ in range(max(settings.epochs)):
            if stack is None:
                tunings[0].run_epoch()
            else:
                stack.run_epoch()
        tuned += [tuning.tuned for tuning in tunings]
    return tuned


class _Tuning:
    """The training of one model, with what ``Stack`` reads of the training of a member.

    Attributes:
        tuned: flat weights (n_weights,) by epoch.
    """

    packed: Sequence[str] = ()  # models of one task
    precision = "float32"

    def __init__(
        self,
        weights: np.ndarray,
        data: tuple[torch.Tensor, torch.Tensor],
        layout: Layout,
        settings: FineTuning,
        device: str,
    ):
        self.images, self.augment, self.plan = {"train": data}, settings.augment, {"batch_size": settings.batch_size}
        self.network = network_for(layout).to(device)
        self.network.load_state_dict(state_dict(weights, layout))
        self.network.architecture.for_training(self.network)
        self.optimizer = make_optimizer(self.network, settings.optimizer, settings.learning_rate, 0.0, 0.9)
        self.tuned: dict[int, np.ndarray] = {}
        self._layout, self._epochs, self._epoch = layout, settings.epochs, 0

    def run_epoch(self) -> None:
        """Train alone for one epoch."""
        train_epoch(self.network, self.optimizer, self.images["train"], self.plan["batch_size"], self.augment)
        self.close()

    def draw_steps(self) -> list[Step]:
        return list(draw_steps(self.images["train"][0], self.plan["batch_size"], self.augment))

    def draws_like(self, other: Any) -> bool:
        return True

    def draw_like(self, other: Any) -> None:
        """All read the same random numbers."""

    def close(self, values: Any = None) -> None:
        self._epoch += 1
        if self._epoch in self._epochs:
            self.tuned[self._epoch] = flatten(self.network.architecture.snapshot(self.network), self._layout)[0]
