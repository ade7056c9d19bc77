"""How flat weights lie in files: matrices of low rank as factors, all others as they are."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from wsl.zoo.layout import Entry, Layout
from wsl.zoo.recognition import architecture_of


class Stored(NamedTuple):
    """Columns of a file that hold a named parameter; with a rank, B by rows and then A by rows."""

    columns: slice
    rank: int | None


class Storage:
    """The stored columns of flat weights of a layout.

    Attributes:
        size: numbers stored per snapshot.
    """

    def __init__(self, layout: Layout):
        architecture = architecture_of(layout) if layout.architecture else None
        self.layout, self.size, self._places = layout, 0, {}
        for entry in layout.entries:
            rank = architecture.rank_of(entry) if architecture else None
            rows = entry.shape[0] if entry.shape else 1
            count = entry.size if rank is None else rank * (rows + entry.size // rows)
            if count >= entry.size:
                rank, count = None, entry.size
            self._places[entry.name] = Stored(slice(self.size, self.size + count), rank)
            self.size += count
        self.plain = self.size == layout.size

    def pack(self, weights: np.ndarray) -> np.ndarray:
        """Return the stored numbers (n, size) of flat weights (n, n_weights), with their number format."""
        if self.plain:
            return weights
        stored = np.empty((len(weights), self.size), dtype=weights.dtype)
        for entry in self.layout.entries:
            columns, rank = self._places[entry.name]
            values = weights[:, entry.columns]
            if rank is not None:
                rows, across = entry.shape[0], entry.size // entry.shape[0]
                up, down = factors(values.reshape(-1, rows, across), rank)
                values = np.hstack([up.reshape(-1, rows * rank), down.reshape(-1, rank * across)])
            stored[:, columns] = values
        return stored

    def unpack(self, read: Callable[[slice], np.ndarray], columns: slice = slice(None)) -> np.ndarray:
        """Return columns of flat weights, float32 (n, columns).

        Args:
            read: returns stored columns, float32 (n, count).
            columns: of flat weights, without a step.
        """
        if self.plain:
            return read(columns)
        start, stop, _ = columns.indices(self.layout.size)
        wanted = [entry for entry in self.layout.entries if entry.offset < stop and entry.columns.stop > start]
        parts = [self._values(entry, read) for entry in wanted]
        first = wanted[0].offset if wanted else start
        return np.concatenate(parts or [read(slice(0, 0))], axis=1)[:, start - first : stop - first]

    def _values(self, entry: Entry, read: Callable[[slice], np.ndarray]) -> np.ndarray:
        columns, rank = self._places[entry.name]
        values = read(columns)
        if rank is None:
            return values
        rows, across = entry.shape[0], entry.size // entry.shape[0]
        up, down = np.split(values, [rows * rank], axis=1)
        return (up.reshape(-1, rows, rank) @ down.reshape(-1, rank, across)).reshape(-1, entry.size)


@lru_cache(maxsize=64)
def storage_of(layout: Layout) -> Storage:
    """Return the storage of a layout."""
    return Storage(layout)


def factors(matrices: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return B (..., rows, rank) and A (..., rank, columns), whose products are the nearest to matrices.

    They come from truncated singular value decompositions, and share the singular values equally. Directions beyond
    those of a matrix are 0.
    """
    left, values, right = np.linalg.svd(matrices.astype(np.float64), full_matrices=False)
    kept = min(rank, values.shape[-1])
    root = np.sqrt(values[..., :kept])
    up = np.zeros((*matrices.shape[:-1], rank), matrices.dtype)
    down = np.zeros((*matrices.shape[:-2], rank, matrices.shape[-1]), matrices.dtype)
    up[..., :kept] = left[..., :kept] * root[..., None, :]
    down[..., :kept, :] = root[..., :, None] * right[..., :kept, :]
    return up, down
