"""Distances between sampled models and training snapshots, whose weights are read in blocks of columns."""

from typing import NamedTuple

import h5py
import numpy as np

from wsl.weights.solvers import gram_matrix
from wsl.zoo.index import Zoo, read_weights
from wsl.zoo.layout import Layout

RUNNING = ("running_mean", "running_var")


def learned(layout: Layout) -> np.ndarray:
    """Return a mask (n_weights,) of what training learns: all but the running statistics."""
    mask = np.ones(layout.size, dtype=bool)
    for entry in layout.entries:
        if entry.name.endswith(RUNNING):
            mask[entry.columns] = False
    return mask


class Distances(NamedTuple):
    """L2 distances of learned weights.

    Attributes:
        to_training: from samples to training snapshots (samples, snapshots).
        between: from sample to sample (samples, samples).
        cosines: of samples and training snapshots as seen from the training snapshots' mean (samples, snapshots).
        unit: median distance between the final snapshots of training members.
    """

    to_training: np.ndarray
    between: np.ndarray
    cosines: np.ndarray
    unit: float


def measure_distances(training: Zoo, samples: h5py.Dataset) -> Distances:
    """Measure all distances in one reading of the training weights.

    Args:
        training: index of the training members.
        samples: finite flat weights (samples, n_weights).
    """
    known, made = len(training.snapshots), len(samples)
    gram = np.zeros((known + made, known + made))
    for entry in training.layout.entries:
        if entry.name.endswith(RUNNING):
            continue

        def read(part: slice, start: int = entry.offset) -> np.ndarray:
            columns = slice(start + part.start, start + part.stop)
            return np.concatenate([read_weights(training, columns=columns), samples[:, columns]])

        gram += gram_matrix(read, known + made, entry.size)[0]
    lengths = np.diag(gram)
    distances = np.sqrt(np.maximum(lengths[:, None] + lengths - 2 * gram, 0))
    finished = np.flatnonzero(training.snapshots["snapshot"] == "max")
    pairs = distances[np.ix_(finished, finished)][np.triu_indices(len(finished), k=1)]
    centred = _seen_from_mean(gram, known)
    norms = np.sqrt(np.maximum(np.diag(centred), 0))
    cosines = centred[known:, :known] / np.maximum(norms[known:, None] * norms[:known], 1e-300)
    unit = float(np.median(pairs)) if len(pairs) else float("nan")
    return Distances(distances[known:, :known], distances[known:, known:], cosines, unit)


def _seen_from_mean(gram: np.ndarray, rows: int) -> np.ndarray:
    """Return inner products of the same vectors less the mean of the first ``rows``."""
    to_mean = gram[:, :rows].mean(axis=1)
    return gram - to_mean[:, None] - to_mean + to_mean[:rows].mean()


def exact_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the L2 distance of two vectors, summed in float64: sums of inner products cannot tell it from 0."""
    return float(np.linalg.norm(np.asarray(a, dtype=np.float64) - b))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the cosine of two vectors, summed in float64."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-300))
