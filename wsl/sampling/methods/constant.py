"""Baselines that do not depend on the task's classes: random weights, the members' start and the zoo's mean."""

from typing import Any

import numpy as np

from wsl.sampling.methods.base import METHODS, Method


@METHODS.register("scratch")
class Scratch(Method):
    """Random weights, drawn for each task."""

    kind, recalibrate = "baseline", False
    label, colour, marker, line = "from scratch", "#999999", "+", ":"
    uses_images = same_data = uses_zoo = False

    @classmethod
    def applies(cls, run: Any) -> bool:
        return run.config.zoo.adapter.lora.rank is None  # the frozen network is not random

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        return random_weights(self.run.layout, task, seed)


@METHODS.register("start")
class Start(Method):
    """The members' start, or one random start if each member has its own."""

    kind, recalibrate = "baseline", False
    label, colour, marker, line = "the zoo's start", "#999999", "x", ":"
    uses_images = same_data = uses_zoo = False

    def __init__(self, settings, run):
        super().__init__(settings, run)
        from wsl.zoo.network import flatten

        self.weights = flatten(start_state(run), run.layout)[0]

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        return self.weights

    @classmethod
    def files(cls, run: Any, draw: int | str) -> dict[str, Any]:
        return start_file(run)


@METHODS.register("mean")
class Mean(Method):
    """The mean of the training members' max snapshots."""

    kind, recalibrate = "baseline", True
    label, colour, marker, line = "mean of the zoo", "#999999", "v", ":"
    of_members = True

    def __init__(self, settings, run):
        super().__init__(settings, run)
        from wsl.sampling.body import mean_weights

        self.weights = mean_weights(run.zoo)

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        return self.weights


def random_weights(layout: Any, task: str, seed: int) -> np.ndarray:
    """Return randomly initialised flat weights (n_weights,) for a task."""
    import torch

    from wsl.randomness import integer_seed
    from wsl.zoo.network import flatten, network_for

    torch.manual_seed(integer_seed(seed, "scratch", task))
    return flatten(network_for(layout).state_dict(), layout)[0]


def start_file(run: Any) -> dict[str, Any]:
    """Return the file of the members' start if they share one."""
    return {"start": run.paths.start} if run.start() else {}


def start_state(run: Any) -> dict[str, Any]:
    """Return the state dict of the members' start, or of one random start if each member has its own."""
    from wsl.files.tensors import read_tensors
    from wsl.zoo.network import network_for, state_dict

    if run.layout.frozen is not None:
        return network_for(run.layout).state_dict()  # adapters that change nothing, and a head of zeros
    if "start" in run.files:
        return read_tensors(run.files["start"])[0]
    return state_dict(random_weights(run.layout, "start", 0), run.layout)
