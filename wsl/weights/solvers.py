"""Solvers of PCA for matrices with far fewer rows (snapshots) than columns (weights)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np

Read = Callable[[slice], np.ndarray]
# Read at once. With less, adding to a Gram matrix of thousands of rows takes longer than computing the products.
BLOCK_BYTES = 64 * 2**20
CHUNK = 2**14  # columns
SPARE = 32  # more directions than requested, so that the last of the requested ones are exact too
NOISE = 1e-11  # relative to the largest eigenvalue; below it a component of float32 weights is rounding noise
INCREMENTAL_BATCH = 64


class Components(NamedTuple):
    """Principal components: orthonormal rows, float32 (k, d), and the variance along each, over n - 1 (k,)."""

    components: np.ndarray
    variance: np.ndarray


def _blocks(read: Read, rows: int, columns: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield blocks of whole columns of about ``BLOCK_BYTES``: the columns, their values, and a buffer of that size.

    A second thread reads the next block in advance, so that matrix products and disks do not wait for each other.
    """
    width = min(max(1, BLOCK_BYTES // (4 * rows)), columns)
    parts = [slice(start, min(start + width, columns)) for start in range(0, columns, width)]
    # One buffer for all blocks: allocating memory takes longer than filling it.
    buffer = np.empty((rows, width), dtype=np.float32)
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(read, parts[0])
        for part, following in pairwise([*parts, None]):
            values = ahead.result()
            if following:
                ahead = reader.submit(read, following)
            yield part, values, buffer[:, : part.stop - part.start]


def _centred(values: np.ndarray, mean: np.ndarray, buffer: np.ndarray) -> np.ndarray:
    """Return values minus their float64 means in a buffer, exact to rounding of the difference."""
    high = mean.astype(np.float32)
    np.subtract(values, high, out=buffer)
    buffer -= (mean - high).astype(np.float32)
    return buffer


def gram_matrix(read: Read, rows: int, columns: int, device: str = "cpu") -> tuple[np.ndarray, np.ndarray, float]:
    """Return the Gram matrix of the centred rows (rows, rows), the column means (columns,), the minimum; float64.

    Products are computed in float32 block by block, and summed in float64.
    """
    gram, mean, minimum = np.zeros((rows, rows)), np.empty(columns), np.inf
    for part, values, buffer in _blocks(read, rows, columns):
        mean[part] = values.mean(axis=0, dtype=np.float64)
        minimum = min(minimum, float(values.min()))
        block = _centred(values, mean[part], buffer)
        gram += product(block, block.T, device)
    return gram, mean, minimum


def product(left: np.ndarray, right: np.ndarray, device: str) -> np.ndarray:
    """Multiply matrices by numpy on the ``cpu``, otherwise by torch, which is imported only then."""
    if device == "cpu":
        return left @ right
    import torch

    factors = [torch.from_numpy(np.ascontiguousarray(values)).to(device) for values in (left, right)]
    return (factors[0] @ factors[1]).cpu().numpy()


def gram_components(gram: np.ndarray, mean: np.ndarray, read: Read, k: int, device: str = "cpu") -> Components:
    """PCA in the dual form: eigenvectors of the Gram matrix, mapped back through the data.

    Costs two reads of the data and rows² memory for any number of columns. A Gram matrix of float32 products gives a
    few more directions than requested; within their span the components are computed again in float64 from the
    projected data (Rayleigh-Ritz), so that they are orthonormal and free of the Gram matrix's rounding.
    """
    rows = len(gram)
    count = min(k + SPARE, rows - 1)
    directions = np.linalg.eigh(gram)[1][:, ::-1][:, :count].T.astype(np.float32)
    projected = np.empty((count, len(mean)), dtype=np.float32)
    small = np.zeros((count, count))
    for part, values, buffer in _blocks(read, rows, len(mean)):
        projected[:, part] = product(directions, _centred(values, mean[part], buffer), device)
        block = projected[:, part].astype(np.float64)
        small += block @ block.T
    eigenvalues, vectors = _largest(small, k)
    rotation = (vectors / np.sqrt(eigenvalues)).T
    for start in range(0, len(mean), CHUNK):
        part = slice(start, start + CHUNK)
        projected[: len(rotation), part] = rotation @ projected[:, part].astype(np.float64)
    return Components(_signed(projected[: len(rotation)]), eigenvalues / (rows - 1))


def scatter_matrix(read: Read, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the scatter matrix of the centred columns, float64 (columns, columns), the column means, the minimum."""
    values = read(slice(0, columns)).astype(np.float64)
    mean, minimum = values.mean(axis=0), float(values.min())
    values -= mean
    return values.T @ values, mean, minimum


def scatter_components(scatter: np.ndarray, rows: int, k: int) -> Components:
    """Exact PCA by the scatter matrix, for parameters with fewer numbers than there are snapshots."""
    eigenvalues, vectors = _largest(scatter, k)
    return Components(_signed(np.ascontiguousarray(vectors.T, dtype=np.float32)), eigenvalues / (rows - 1))


def _largest(matrix: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k largest eigenvalues above rounding noise, in descending order, and their eigenvectors in columns."""
    eigenvalues, vectors = np.linalg.eigh(matrix)
    eigenvalues, vectors = eigenvalues[::-1][:k], vectors[:, ::-1][:, :k]
    kept = eigenvalues > max(NOISE * max(eigenvalues[0], 0), np.finfo(float).tiny)
    return eigenvalues[kept], vectors[:, kept]


def sklearn_components(solver: str, read: Read, rows: int, columns: int, k: int, seed: int) -> Components:
    """PCA by scikit-learn: ``incremental`` (the thesis), ``full`` or ``randomized``; all data is held in memory."""
    from sklearn.decomposition import PCA, IncrementalPCA

    values = read(slice(0, columns)).astype(np.float64)
    if solver == "incremental":
        # A batch must not be smaller than the number of components, so the rest joins the last full batch.
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
    # The sign of an eigenvector is arbitrary; a positive largest entry keeps runs equal across LAPACKs.
    components *= np.where(components.max(axis=1) < -components.min(axis=1), -1, 1).astype(np.float32)[:, None]
    return components
