"""Every way to get a model for a task, by name: samplers, and the baselines that they should beat."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from wsl.evaluation.rivals import (
    NOISE,
    FixedModel,
    HeadModels,
    NearestModels,
    ReconstructedModels,
    ScratchModels,
    TrainedModels,
)
from wsl.sampling.body import mean_weights
from wsl.sampling.generator import body_of
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
# Heads that a task's images give a frozen body: whose body, and which head (``wsl.evaluation.rivals.HeadModels``).
HEADS = {
    "prototypes": ("start", "prototypes"),
    "probe": ("start", "probe"),
    "body-prototypes": ("body", "prototypes"),
    "body-probe": ("body", "probe"),
}


class Methods(Makers):
    """Loads makers of samplers and of their baselines.

    Args:
        held_out: indices of held-out members, for ``trained`` and ``reconstructed``.
        start: what members start from, or None where each has its own.
        files: see ``Makers``.
    """

    def __init__(self, held_out: Sequence[str | Path], start: str | Path | None, **files: Any):
        super().__init__(**files)
        self.held_out, self.start = held_out, start

    def load(self, name: str, recalibrate: bool = True) -> Maker:
        """Return the maker of a sampler or a baseline, if need be without new batch-normalisation statistics."""
        baselines = {
            "trained": lambda: TrainedModels(self._zoos()),
            "reconstructed": lambda: ReconstructedModels(TrainedModels(self._zoos()), self.codec()),
            "scratch": lambda: ScratchModels(self.layout),
            "start": lambda: FixedModel(flatten(self._start(), self.layout)[0]),
            "mean": lambda: FixedModel(mean_weights(self.zoo)),
            "nearest": lambda: NearestModels(self.zoo, self.class_means),
            "noised": lambda: NearestModels(self.zoo, self.class_means, NOISE),
            **{name: partial(self._heads, name) for name in HEADS},
        }
        if name not in baselines:
            return super().load(name, recalibrate)
        models = baselines[name]()
        return self.recalibrated(models) if recalibrate and name in RECALIBRATED else models

    def _zoos(self) -> list[Zoo]:
        return [self.stack.enter_context(open_zoo(path)) for path in self.held_out]

    def _start(self) -> dict[str, torch.Tensor]:
        if self.start is not None:
            return read_tensors(self.start)[0]
        # Members that share no start: one of the many random ones.
        return state_dict(ScratchModels(self.layout).make("start", 0.0), self.layout)

    def _heads(self, name: str) -> HeadModels:
        body, kind = HEADS[name]
        state = self._start() if body == "start" else self._body()
        return HeadModels(state, self.layout, self.images, kind, self.device)

    def _body(self) -> dict[str, torch.Tensor]:
        return body_of(read_tensors(self.samplers["generator"])[0])
