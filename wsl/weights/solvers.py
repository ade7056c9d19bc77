"""Ways to find principal components of a matrix with far fewer rows (snapshots) than columns (weights)."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

Read = Callable[[slice], np.ndarray]
BLOCK_BYTES = 64 * 2**20
# Relative to the largest eigenvalue of the Gram matrix; below it a component of float32 weights is rounding noise.
NOISE = 1e-11
INCREMENTAL_BATCH = 64


class Components(NamedTuple):
    """Principal components.

    Attributes:
        components: orthonormal rows, float32 (k, d), each with its largest entry positive.
        variance: along each, divided by n - 1 as scikit-learn does (k,).
    """

    components: np.ndarray
    variance: np.ndarray


def blocks(read: Read, rows: int, columns: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Read a (rows, columns) matrix in blocks of whole columns of about ``BLOCK_BYTES`` in float64."""
    width = max(1, BLOCK_BYTES // (8 * rows))
    for start in range(0, columns, width):
        part = slice(start, min(start + width, columns))
        yield part, read(part).astype(np.float64)


def gram_matrix(read: Read, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the Gram matrix of the centred rows, float64 (rows, rows), the column means (columns,), the minimum."""
    gram = np.zeros((rows, rows))
    mean = np.empty(columns)
    minimum = np.inf
    for part, values in blocks(read, rows, columns):
        mean[part] = values.mean(axis=0)
        minimum = min(minimum, float(values.min()))
        values -= mean[part]
        gram += values @ values.T
    return gram, mean, minimum


def gram_components(gram: np.ndarray, mean: np.ndarray, read: Read, k: int) -> Components:
    """Exact PCA through the dual form: eigenvectors of the Gram matrix, mapped back through the data.

    Costs two reads of the data and rows² memory, however many columns there are.
    """
    rows = len(gram)
    eigenvalues, vectors = np.linalg.eigh(gram)
    eigenvalues, vectors = eigenvalues[::-1][:k], vectors[:, ::-1][:, :k]
    kept = eigenvalues > max(NOISE * max(eigenvalues[0], 0), np.finfo(float).tiny)
    eigenvalues, vectors = eigenvalues[kept], vectors[:, kept]
    components = np.empty((len(eigenvalues), len(mean)), dtype=np.float32)
    scale = 1 / np.sqrt(eigenvalues)
    for part, values in blocks(read, rows, len(mean)):
        components[:, part] = (vectors * scale).T @ (values - mean[part])
    return Components(_signed(components), eigenvalues / (rows - 1))


def scatter_matrix(read: Read, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the scatter matrix of the centred columns, float64 (columns, columns), the column means, the minimum."""
    values = read(slice(0, columns)).astype(np.float64)
    mean, minimum = values.mean(axis=0), float(values.min())
    values -= mean
    return values.T @ values, mean, minimum


def scatter_components(scatter: np.ndarray, rows: int, k: int) -> Components:
    """Exact PCA in its plain form, for parameters with fewer numbers than there are snapshots."""
    eigenvalues, vectors = np.linalg.eigh(scatter)
    eigenvalues, vectors = eigenvalues[::-1][:k], vectors[:, ::-1][:, :k]
    kept = eigenvalues > max(NOISE * max(eigenvalues[0], 0), np.finfo(float).tiny)
    components = np.ascontiguousarray(vectors[:, kept].T, dtype=np.float32)
    return Components(_signed(components), eigenvalues[kept] / (rows - 1))


def sklearn_components(solver: str, read: Read, rows: int, columns: int, k: int, seed: int) -> Components:
    """PCA by scikit-learn: ``incremental`` (the thesis' IncrementalPCA), ``full`` or ``randomized``.

    These hold the whole parameter in memory. Randomised and incremental ones are approximate.
    """
    from sklearn.decomposition import PCA, IncrementalPCA

    values = read(slice(0, columns)).astype(np.float64)
    if solver == "incremental":
        # A batch may not be smaller than the number of components, so the rest joins the last full batch.
        size = max(INCREMENTAL_BATCH, k)
        fitted = IncrementalPCA(n_components=k)
        starts = list(range(0, max(1, rows - size + 1), size))
        for start, end in zip(starts, [*starts[1:], rows], strict=True):
            fitted.partial_fit(values[start:end])
    else:
        fitted = PCA(n_components=k, svd_solver=solver, random_state=seed).fit(values)
    kept = fitted.explained_variance_ > NOISE * fitted.explained_variance_[0]
    return Components(_signed(fitted.components_[kept].astype(np.float32)), fitted.explained_variance_[kept])


def _signed(components: np.ndarray) -> np.ndarray:
    # Eigenvectors have no sign of their own; fixing it keeps runs equal across LAPACKs.
    largest = np.abs(components).argmax(axis=1)
    return components * np.sign(components[np.arange(len(components)), largest])[:, None]
