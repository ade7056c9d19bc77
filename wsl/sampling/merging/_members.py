"""What merges read: the weights of the training members, and the images that they were trained on."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from wsl.images.inputs import normalised
from wsl.sampling.body import mean_weights
from wsl.zoo.index import read_snapshot, read_weights
from wsl.zoo.layout import Entry, Layout


class Members:
    """What a merge reads: the max snapshots of the training members, and the images that they were trained on.

    Args:
        run: an ``OpenRun`` of ``wsl.sampling.loading``.
        start: flat weights (n_weights,) of the members' common start; None: each has its own.
    """

    def __init__(self, run: Any, start: np.ndarray | None):
        self.run, self.start = run, start
        self.layout: Layout = run.layout
        self.rows = run.zoo.trained
        self.tasks: list[str] = run.zoo.snapshots["task"].iloc[self.rows].tolist()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def entries(self) -> list[Entry]:
        """The named parameters of a body: all but the head, whose rows are other classes in each member."""
        return [entry for entry in self.layout.entries if entry.name not in self.layout.head]

    def values(self, entry: Entry) -> np.ndarray:
        """Return a named parameter of all members (members, size)."""
        return read_weights(self.run.zoo, columns=entry.columns)[self.rows]

    def changes(self, entry: Entry) -> np.ndarray:
        """Return a named parameter of all task vectors (members, size): members minus their start."""
        return self.values(entry) - self.start[entry.columns]

    def whole(self, rows: Sequence[int] | None = None) -> Iterator[np.ndarray]:
        """Yield the flat weights (n_weights,) of each member, or of some by their rows of the index."""
        for row in self.rows if rows is None else rows:
            yield read_snapshot(self.run.zoo, row)

    def inputs(self, task: str, most: int) -> torch.Tensor:
        """Return the first ``most`` training images of each class of a member's task, as inputs (n, 3, size, size)."""
        return normalised(self.run.images.of_task(task, most)[0], self.layout.normalisation)

    @cached_property
    def mean(self) -> np.ndarray:
        """The mean of all members (n_weights,)."""
        return mean_weights(self.run.zoo)
