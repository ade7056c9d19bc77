"""Samplers that look up training snapshots: the memory bank, and retrieval of the nearest snapshot."""

from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from wsl.sampling.methods.base import METHODS, CodeSampler
from wsl.settings.sections import PositiveFloat, PositiveInt, Section

WIDTH = 0.5  # standard deviation of the kernel of outcomes, in log nats


class MemoryBankSettings(Section):
    """The sampler `memory-bank`: a weighted mean of the codes of the best training snapshots."""

    top_k: PositiveInt = Field(8, description="number of snapshots, in any class order, to average")
    temperature: PositiveFloat = Field(0.1, description="temperature of the softmax over their scores")


class Lookup(CodeSampler):
    """Dataset, outcome and code of training snapshots, in every class order of the file of codes."""

    def __init__(self, settings: Any, run: Any):
        super().__init__(settings, run)
        from wsl.datasets.class_means import ClassMeans
        from wsl.shared.pairs import read_codes

        codes, snapshots = read_codes(run.files["codes"], self.space)
        rows, tasks = pd.factorize(snapshots["task"])
        self.fill(codes, ClassMeans(run.files.class_means).embed(tasks), rows, snapshots["validation_loss"].to_numpy())

    def fill(self, codes: np.ndarray, tasks: np.ndarray, rows: np.ndarray, losses: np.ndarray) -> None:
        """Set the snapshots.

        Args:
            codes: (n, code).
            tasks: z_D of the distinct tasks (tasks, dataset).
            rows: for each snapshot, its row of ``tasks`` (n,).
            losses: validation losses (n,), nats.
        """
        self.known, self.rows, self.losses = codes, rows, losses
        datasets = tasks[rows]
        self._mean, deviation = datasets.mean(axis=0), datasets.std(axis=0)
        self._scale = np.where(deviation > 0, deviation, 1)
        self._directions = self._direction(tasks)

    def similarities(self, datasets: np.ndarray) -> np.ndarray:
        """Return cosines (n, tasks) of z_D (n, dataset) and each task's z_D, standardised over the snapshots.

        Without standardisation, features shared by all tasks would dominate the cosine.
        """
        return self._direction(datasets) @ self._directions.T

    def _direction(self, datasets: np.ndarray) -> np.ndarray:
        standardised = (datasets - self._mean) / self._scale
        return standardised / np.maximum(np.linalg.norm(standardised, axis=1, keepdims=True), 1e-12)

    @classmethod
    def files(cls, run: Any, draw: int | str) -> dict[str, Any]:
        return {**super().files(run, draw), "codes": run.paths.codes("train", cls.space)}


@METHODS.register("memory-bank")
class MemoryBank(Lookup):
    """A softmax-weighted mean of the best codes: soft nearest neighbours.

    A snapshot's score is the similarity of its dataset (a cosine, -1 to 1) plus the closeness of its outcome (a
    Gaussian kernel on log losses, 0 to 1).
    """

    Settings = MemoryBankSettings
    label, colour = "memory bank", "#56B4E9"

    def scores(self, datasets: np.ndarray, losses: np.ndarray) -> np.ndarray:
        """Return the score of each snapshot for each condition (n, snapshots)."""
        distance = _log(losses)[:, None] - _log(self.losses)
        return self.similarities(datasets)[:, self.rows] + np.exp(-0.5 * (distance / WIDTH) ** 2)

    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return codes (n, code), see ``CodeSampler.codes``."""
        from scipy.special import softmax

        scores = self.scores(datasets, losses)
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.settings.top_k]
        shares = softmax(np.take_along_axis(scores, best, axis=1) / self.settings.temperature, axis=1)
        return np.einsum("nk,nkc->nc", shares, self.known[best]).astype(np.float32)


@METHODS.register("retrieval")
class Retrieval(Lookup):
    """The code of the snapshot with the nearest loss among those of the nearest dataset."""

    label, colour = "retrieval", "#E69F00"

    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return codes (n, code), see ``CodeSampler.codes``."""
        nearest = self.similarities(datasets).argmax(axis=1)
        distance = np.abs(losses[:, None] - self.losses)
        distance[nearest[:, None] != self.rows] = np.inf
        return self.known[distance.argmin(axis=1)]


def _log(losses: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(losses, 1e-6))  # a loss of 0 has no logarithm
