"""Distances between sampled models and training snapshots, computed over blocks of columns."""

from collections.abc import Iterator
from typing import NamedTuple

import h5py
import numpy as np

from wsl.zoo.index import Zoo, read_weights
from wsl.zoo.layout import Layout

READ_BYTES = 256 * 2**20
UNIT_MEMBERS = 200  # maximum number of training members, the first ones, for the unit of distances


def learned(layout: Layout) -> np.ndarray:
    """Return a mask (n_weights,) of learned weights, that is, all except running statistics."""
    mask = np.ones(layout.size, dtype=bool)
    for entry in layout.entries:
        if entry.running:
            mask[entry.columns] = False
    return mask


class Distances(NamedTuple):
    """L2 distances of learned weights."""

    to_training: np.ndarray  # from samples to training snapshots (samples, snapshots)
    between: np.ndarray  # from sample to sample (samples, samples)
    cosines: np.ndarray  # of samples and snapshots, centred on the snapshots' mean (samples, snapshots)
    unit: float  # median distance between fully trained members, see ``UNIT_MEMBERS``


def measure_distances(training: Zoo, samples: h5py.Dataset) -> Distances:
    """Measure all distances in one pass over the training weights.

    Args:
        training: the training members.
        samples: finite flat weights (samples, n_weights).
    """
    known, count = len(training.snapshots), len(samples)
    trained = training.trained[:UNIT_MEMBERS]
    products, lengths = np.zeros((count, known + count)), np.zeros(known + count)
    trained_products = np.zeros((len(trained), len(trained)))
    for values in _centred_blocks(training, samples):
        products += values[known:] @ values.T
        lengths += np.einsum("ij,ij->i", values, values)
        trained_products += values[trained] @ values[trained].T
    from_samples = _distances(products, lengths[known:], lengths)
    norms = np.sqrt(lengths)
    cosines = products[:, :known] / np.maximum(np.multiply.outer(norms[known:], norms[:known]), 1e-300)
    pairs = _distances(trained_products, lengths[trained], lengths[trained])[np.triu_indices(len(trained), k=1)]
    unit = float(np.median(pairs)) if len(pairs) else float("nan")
    return Distances(from_samples[:, :known], from_samples[:, known:], cosines, unit)


def _centred_blocks(training: Zoo, samples: h5py.Dataset) -> Iterator[np.ndarray]:
    """Yield blocks of columns of learned weights of snapshots and samples, minus the snapshots' mean, float64."""
    mask, rows = learned(training.layout), len(training.snapshots) + len(samples)
    # Wide blocks for reading, which opens every member's file; narrow blocks for arithmetic in float64.
    wide, narrow = (max(1, size // (4 * rows)) for size in (READ_BYTES, READ_BYTES // 8))
    for start in range(0, training.layout.size, wide):
        part = slice(start, min(start + wide, training.layout.size))
        block = np.concatenate([read_weights(training, columns=part), samples[:, part]])[:, mask[part]]
        for first in range(0, block.shape[1], narrow):
            values = block[:, first : first + narrow].astype(np.float64)
            values -= values[: len(training.snapshots)].mean(axis=0)
            yield values


def _distances(products: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return L2 distances of inner products (n, m) and squared lengths (n,), (m,)."""
    return np.sqrt(np.maximum(rows[:, None] + columns - 2 * products, 0))


class Spread:
    """Root mean squared distance of vectors (n,) from their mean, added one at a time (Welford 1962)."""

    def __init__(self) -> None:
        self._count, self._mean, self._squares = 0, np.zeros(()), 0.0

    def add(self, vector: np.ndarray) -> None:
        """Add a vector."""
        self._count += 1
        deviation = np.asarray(vector, dtype=np.float64) - self._mean
        self._mean = self._mean + deviation / self._count
        self._squares += float(deviation @ (vector - self._mean))

    def __float__(self) -> float:
        return float(np.sqrt(self._squares / self._count)) if self._count else float("nan")


def exact_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the L2 distance of two vectors in float64, precise also near 0, unlike ``measure_distances``."""
    return float(np.linalg.norm(np.asarray(a, dtype=np.float64) - b))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the cosine of two vectors in float64."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-300))
