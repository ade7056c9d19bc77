"""Whole snapshots of a part in several class orders: training data of weight encoders."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from wsl.weights.orders import class_orders, reorder_task, reorder_weights
from wsl.zoo.index import Zoo, open_zoo, read_weights

HELD = 2**27  # maximum number of weights that are kept in memory


class Snapshots:
    """Snapshots of an index, in the rows of a coefficient file: see ``wsl.weights.coefficients.encode_part``.

    A context, since member files are read on demand, unless all weights fit in memory. ``orders``: number of class
    orders; ``seed``: of these.
    """

    def __init__(self, index: str | Path, orders: int = 1, seed: int = 0):
        self._opened = open_zoo(index)
        self._orders = (orders, seed)

    def __enter__(self) -> "Snapshots":
        self.zoo = self._opened.__enter__()
        self.layout, self.count = self.zoo.layout, len(self.zoo.snapshots)
        self.orders = class_orders(self.layout.classes, *self._orders)
        return self

    def __exit__(self, *failure: object) -> None:
        self._opened.__exit__(*failure)

    def __len__(self) -> int:
        return self.count * len(self.orders)

    def weights(self, rows: Sequence[int]) -> torch.Tensor:
        """Return flat weights, float32 (rows, n_weights)."""
        places = [row % self.count for row in rows]
        weights = read_snapshots(self.zoo, places) if self.held is None else self.held[places]
        for row, vector in zip(rows, weights, strict=True):
            if row >= self.count:  # the first order is the snapshot's own
                vector[...] = reorder_weights(vector, self.layout, self.orders[row // self.count])
        return torch.from_numpy(weights)

    @cached_property
    def held(self) -> np.ndarray | None:
        """All weights (snapshots, n_weights), read at once; None: too many."""
        return read_weights(self.zoo) if self.count * self.layout.size <= HELD else None

    def task(self, row: int) -> str:
        """Return the task of a row, its classes in the row's order."""
        return reorder_task(self.zoo.snapshots["task"][row % self.count], self.orders[row // self.count])


def read_snapshots(zoo: Zoo, rows: Sequence[int]) -> np.ndarray:
    """Return the weights of some snapshots, float32 (rows, n_weights); neighbours are read together."""
    rows = np.asarray(rows)
    runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    return np.concatenate([read_weights(zoo, slice(int(run[0]), int(run[-1]) + 1)) for run in runs])
