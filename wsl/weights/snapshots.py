"""Whole snapshots of a part in several class orders: training data of weight encoders."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from wsl.weights.orders import class_orders, reorder_task, reorder_weights
from wsl.zoo.index import open_zoo, read_snapshot, read_weights

MEMORY = 2**26  # maximum number of weights of an index that are kept in memory


class Snapshots:
    """Snapshots of an index, in the rows of a coefficient file: see ``wsl.weights.coefficients.encode_part``.

    A context, since member files are read on demand. ``orders``: number of class orders; ``seed``: of these.
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
        weights = [
            reorder_weights(self._snapshot(row % self.count), self.layout, self.orders[row // self.count])
            for row in rows
        ]
        return torch.from_numpy(np.stack(weights))

    def _snapshot(self, row: int) -> np.ndarray:
        return read_snapshot(self.zoo, row) if self._all is None else self._all[row]

    @cached_property
    def _all(self) -> np.ndarray | None:
        """All snapshots in their own class order (count, n_weights), if memory holds them."""
        return read_weights(self.zoo) if self.count * self.layout.size <= MEMORY else None

    def task(self, row: int) -> str:
        """Return the task of a row, its classes in the row's order."""
        return reorder_task(self.zoo.snapshots["task"][row % self.count], self.orders[row // self.count])
