"""The snapshots of a part, whole, in several class orders: what encoders of weights are trained on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from wsl.weights.orders import class_orders, reorder_task, reorder_weights
from wsl.zoo.index import open_zoo, read_snapshot


class Snapshots:
    """Rows as those of a coefficient file: all snapshots in their own class order first, then in the next.

    A context, since the member files are read as they are asked for.

    Args:
        index: of the part.
        orders, seed: see ``wsl.weights.coefficients.encode_part``.
    """

    def __init__(self, index: str | Path, orders: int = 1, seed: int = 0):
        self._opened = open_zoo(index)
        self._asked = (orders, seed)

    def __enter__(self) -> "Snapshots":
        self.zoo = self._opened.__enter__()
        self.layout, self.count = self.zoo.layout, len(self.zoo.snapshots)
        self.orders = class_orders(self.layout.classes, *self._asked)
        return self

    def __exit__(self, *failure: object) -> None:
        self._opened.__exit__(*failure)

    def __len__(self) -> int:
        return self.count * len(self.orders)

    def weights(self, rows: Sequence[int]) -> torch.Tensor:
        """Return flat weights, float32 (rows, n_weights)."""
        found = [
            reorder_weights(read_snapshot(self.zoo, row % self.count), self.layout, self.orders[row // self.count])
            for row in rows
        ]
        return torch.from_numpy(np.stack(found))

    def task(self, row: int) -> str:
        """Return the task of a row, its classes in the row's order."""
        return reorder_task(self.zoo.snapshots["task"][row % self.count], self.orders[row // self.count])
