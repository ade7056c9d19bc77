"""The layout: where each named parameter of ResNet-18 lies in a flat snapshot."""

from math import prod
from typing import NamedTuple

import numpy as np

HEAD = ("fc.weight", "fc.bias")


class Entry(NamedTuple):
    """A named parameter: ``weights[offset : offset + size]``, reshaped to ``shape``."""

    name: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def columns(self) -> slice:
        return slice(self.offset, self.offset + self.size)

    @property
    def running(self) -> bool:
        """Whether it is a running statistic: measured, not learned."""
        return self.name.endswith((".running_mean", ".running_var"))


class Layout(NamedTuple):
    """All floating-point entries of the state dict in its order, and the integer buffers, kept apart."""

    entries: tuple[Entry, ...]
    counters: tuple[str, ...]

    @property
    def size(self) -> int:
        last = self.entries[-1]
        return last.offset + last.size

    def __getitem__(self, name: str) -> Entry:
        return next(entry for entry in self.entries if entry.name == name)

    def split(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """Return views of a flat snapshot (n_weights,), shaped, by name."""
        return {entry.name: vector[entry.columns].reshape(entry.shape) for entry in self.entries}


def resnet18_layout(width: int, classes: int) -> Layout:
    """Return the layout of ``wsl.zoo.network.resnet18(width, classes)`` without importing torch.

    Every start of the workflow needs the names, and torch would add seconds to each; a test holds the two together.
    """
    named: list[tuple[str, tuple[int, ...]]] = []
    counters: list[str] = []

    def convolution(name: str, out: int, into: int, kernel: int) -> None:
        named.append((f"{name}.weight", (out, into, kernel, kernel)))

    def batch_norm(name: str, channels: int) -> None:
        named.extend((f"{name}.{key}", (channels,)) for key in ("weight", "bias", "running_mean", "running_var"))
        counters.append(f"{name}.num_batches_tracked")

    convolution("conv1", width, 3, 7)
    batch_norm("bn1", width)
    into = width
    for stage in range(4):
        out = width * 2**stage
        for block in range(2):
            prefix = f"layer{stage + 1}.{block}"
            convolution(f"{prefix}.conv1", out, into, 3)
            batch_norm(f"{prefix}.bn1", out)
            convolution(f"{prefix}.conv2", out, out, 3)
            batch_norm(f"{prefix}.bn2", out)
            if into != out:
                convolution(f"{prefix}.downsample.0", out, into, 1)
                batch_norm(f"{prefix}.downsample.1", out)
            into = out
    named.extend([("fc.weight", (classes, into)), ("fc.bias", (classes,))])

    entries, offset = [], 0
    for name, shape in named:
        entries.append(Entry(name, shape, offset))
        offset += prod(shape)
    return Layout(tuple(entries), tuple(counters))
