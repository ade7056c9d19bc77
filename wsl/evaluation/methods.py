"""Every way to get a model for a task, by name: samplers, and the rivals that they must beat."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsl.evaluation.rivals import (
    NOISE,
    FixedModel,
    HeadModels,
    NearestModels,
    ReconstructedModels,
    ScratchModels,
    TrainedModels,
    zoo_mean,
)
from wsl.sampling.makers import Makers
from wsl.sampling.making import Maker
from wsl.tensors import read_tensors
from wsl.zoo.index import Zoo, open_zoo
from wsl.zoo.network import flatten, state_dict

# Methods whose models are the same whatever images may be looked at.
WITHOUT_IMAGES = ("trained", "reconstructed", "scratch", "start")
# Methods whose models get new batch-normalisation statistics.
RECALIBRATED = (
    *("projection", "regression", "memory-bank", "retrieval", "flow"),
    *("reconstructed", "mean", "nearest", "noised"),
)


class Methods(Makers):
    """Loads makers of samplers and of their rivals.

    Args:
        held_out: indices of held-out members, for ``trained`` and ``reconstructed``.
        start: what members start from, or None where each has its own.
        shared: see ``Makers``.
    """

    def __init__(self, held_out: Sequence[str | Path], start: str | Path | None, **shared: Any):
        super().__init__(**shared)
        self.held_out, self.start = held_out, start

    def load(self, name: str, recalibrate: bool = True) -> Maker:
        """Return the maker of a sampler or a rival, if need be without new batch-normalisation statistics."""
        recalibration = self.recalibration if recalibrate else None
        rivals = {
            "trained": lambda: TrainedModels(self._zoos()),
            "reconstructed": lambda: ReconstructedModels(
                TrainedModels(self._zoos()), self.codec(), self.images, recalibration
            ),
            "scratch": lambda: ScratchModels(self.layout),
            "start": lambda: FixedModel(flatten(self._start(), self.layout)[0], self.images, None),
            "mean": lambda: FixedModel(zoo_mean(self.zoo), self.images, recalibration),
            "nearest": lambda: NearestModels(self.zoo, self.class_means, self.images, recalibration),
            "noised": lambda: NearestModels(self.zoo, self.class_means, self.images, recalibration, NOISE),
            "prototypes": lambda: HeadModels(self._start(), self.layout, self.images, "prototypes", self.device),
            "probe": lambda: HeadModels(self._start(), self.layout, self.images, "probe", self.device),
            "body-prototypes": lambda: HeadModels(self._body(), self.layout, self.images, "prototypes", self.device),
        }
        return rivals[name]() if name in rivals else super().load(name, recalibrate)

    def _zoos(self) -> list[Zoo]:
        return [self.stack.enter_context(open_zoo(path)) for path in self.held_out]

    def _start(self) -> dict[str, torch.Tensor]:
        if self.start is not None:
            return read_tensors(self.start)[0]
        # Members that share no start: one of the many random ones.
        counters = np.zeros(len(self.layout.counters), dtype=np.int64)
        return state_dict(ScratchModels(self.layout).make("start", 0.0), counters, self.layout)

    def _body(self) -> dict[str, torch.Tensor]:
        tensors, _ = read_tensors(self.samplers["generator"])
        return {key.removeprefix("body/"): value for key, value in tensors.items() if key.startswith("body/")}
