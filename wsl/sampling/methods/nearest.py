"""Baselines that return the training member with the most similar dataset, without or with noise."""

from typing import ClassVar

import numpy as np

from wsl.sampling.methods.base import METHODS, Method


@METHODS.register("nearest")
class Nearest(Method):
    """The max snapshot of the training member with the most similar dataset, in the class order that fits best.

    Attributes:
        noise: standard deviation of the noise added to each named parameter, relative to the parameter's own.
    """

    kind, recalibrate = "baseline", True
    label, colour, marker = "nearest member", "#999999", "D"
    noise: ClassVar[float] = 0.0

    def __init__(self, settings, run):
        super().__init__(settings, run)
        from wsl.weights.orders import class_orders

        self.orders = class_orders(run.layout.classes, 24, seed=0)
        self.tasks = run.zoo.snapshots["task"].iloc[run.zoo.trained]
        self._known: dict[int | None, tuple[np.ndarray, np.ndarray]] = {}

    def _datasets(self, images: int | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the centre of the members' z_D, and the directions from it (orders, members, z_D)."""
        from wsl.weights.orders import reorder_task

        if images not in self._known:
            reordered = ([reorder_task(task, order) for task in self.tasks] for order in self.orders)
            datasets = np.stack([self.run.class_means.embed(tasks, images) for tasks in reordered])
            centre = datasets.mean(axis=(0, 1))
            datasets = datasets - centre
            datasets /= np.maximum(np.linalg.norm(datasets, axis=2, keepdims=True), 1e-12)
            self._known[images] = centre, datasets
        return self._known[images]

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        """Return flat weights (n_weights,), see ``Method.sample``."""
        from wsl.randomness import stream
        from wsl.weights.orders import reorder_weights
        from wsl.zoo.index import read_snapshot

        # Compare names with names, since CLIP's texts are far from its images.
        centre, known = self._datasets(0 if images == 0 else None)
        similarity = known @ (self.run.class_means.embed([task], images)[0] - centre)
        order, member = np.unravel_index(similarity.argmax(), similarity.shape)
        snapshot = read_snapshot(self.run.zoo, self.run.zoo.trained[member])
        weights = reorder_weights(snapshot, self.run.layout, self.orders[order])
        return self._noised(weights, stream(seed, "noise", task)) if self.noise else weights

    def _noised(self, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noised = weights.copy()
        for entry in self.run.layout.entries:
            if not entry.running:
                values = weights[entry.columns]
                noise = self.noise * values.std() * rng.standard_normal(len(values)).astype(np.float32)
                noised[entry.columns] += noise
        return noised


@METHODS.register("noised")
class Noised(Nearest):
    """The nearest member with noise."""

    label, marker, line = "nearest member, noised", "d", "--"
    noise = 0.1
