"""The training snapshots that a sampler may look up: their datasets, their outcomes and their codes."""

from pathlib import Path

import numpy as np
import pandas as pd

from wsl.datasets.class_means import ClassMeans
from wsl.files import Files
from wsl.shared.pairs import read_codes


class Bank:
    """Codes of training snapshots in every class order that their file holds.

    Args:
        codes: (n, code).
        tasks: z_D of each different task (tasks, dataset).
        rows: which of them is a snapshot's (n,).
        losses: validation losses (n,), nats.
        space: what the codes are, see ``Sampler``.
    """

    def __init__(self, codes: np.ndarray, tasks: np.ndarray, rows: np.ndarray, losses: np.ndarray, space: str):
        self.codes, self.rows, self.losses, self.space = codes, rows, losses, space
        everything = tasks[rows]
        self._mean, deviation = everything.mean(axis=0), everything.std(axis=0)
        self._scale = np.where(deviation > 0, deviation, 1)
        self._directions = self._direction(tasks)

    def similarities(self, datasets: np.ndarray) -> np.ndarray:
        """Return cosines (n, tasks) of z_D (n, dataset) and of every task's, standardised by the snapshots' own.

        What all tasks have in common says nothing about which is near, so it must not stand in the cosine.
        """
        return self._direction(datasets) @ self._directions.T

    def _direction(self, datasets: np.ndarray) -> np.ndarray:
        standardised = (datasets - self._mean) / self._scale
        return standardised / np.maximum(np.linalg.norm(standardised, axis=1, keepdims=True), 1e-12)


def load_bank(codes: str | Path, class_means: Files, space: str) -> Bank:
    """Load a bank; ``codes``: the training snapshots' latents or coefficients, as ``space`` says."""
    values, snapshots = read_codes(codes, space)
    rows, tasks = pd.factorize(snapshots["task"])
    losses = snapshots["validation_loss"].to_numpy()
    return Bank(values, ClassMeans(class_means).embed(tasks), rows, losses, space)
