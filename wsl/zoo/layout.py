"""The layout: where each named parameter of a network lies in a flat snapshot."""

import json
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from math import prod
from typing import NamedTuple

import numpy as np

from wsl.errors import DataError
from wsl.zoo.head import find_head

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
    """All floating-point entries of the state dict in its order, and the integer buffers, kept apart.

    Attributes:
        entries: named parameters.
        counters: names of integer buffers.
        head: names of the head's parameters, whose rows are classes, the matrix first; empty: it is not known.
        activation: of the network, where it could be rebuilt from the layout, see ``wsl.zoo.network.network_for``.
    """

    entries: tuple[Entry, ...]
    counters: tuple[str, ...]
    head: tuple[str, ...] = ()
    activation: str = "relu"

    @property
    def size(self) -> int:
        last = self.entries[-1]
        return last.offset + last.size

    @property
    def classes(self) -> int:
        """Number of classes.

        Raises:
            DataError: the head is not known.
        """
        if not self.head:
            raise DataError("names and shapes of these weights do not tell which module is the head")
        return self[self.head[0]].shape[0]

    def __getitem__(self, name: str) -> Entry:
        return next(entry for entry in self.entries if entry.name == name)

    def split(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """Return views of a flat snapshot (n_weights,), shaped, by name."""
        return {entry.name: vector[entry.columns].reshape(entry.shape) for entry in self.entries}


def layout_from(
    named: Iterable[tuple[str, Sequence[int]]],
    counters: Iterable[str],
    head: Sequence[str] | None = None,
    activation: str = "relu",
) -> Layout:
    """Return the layout of parameters that follow each other.

    Args:
        named: names and shapes of the parameters.
        counters: names of integer buffers.
        head: names of the head's parameters, its matrix first; None: those that ``find_head`` finds.
        activation: of the network.
    """
    entries, offset = [], 0
    for name, shape in named:
        entries.append(Entry(name, tuple(shape), offset))
        offset += prod(shape)
    head = find_head({entry.name: entry.shape for entry in entries}) if head is None else head
    return Layout(tuple(entries), tuple(counters), tuple(head), activation)


def layout_to_text(layout: Layout) -> str:
    """Return a layout as JSON, for files."""
    named = [[entry.name, entry.shape] for entry in layout.entries]
    about = {"entries": named, "counters": layout.counters, "head": layout.head, "activation": layout.activation}
    return json.dumps(about)


def layout_from_text(text: str) -> Layout:
    """Return the layout that ``layout_to_text`` wrote; earlier versions stored neither head nor activation."""
    about = json.loads(text)
    return layout_from(about["entries"], about["counters"], about.get("head"), about.get("activation", "relu"))


def first_difference(layout: Layout, wanted: Layout) -> str:
    """Say where a layout first differs from another: a parameter, with its shape, or an integer buffer."""
    for own, other in zip_longest(layout.entries, wanted.entries):
        if own != other:
            here, there = (f"{one.name} {one.shape}" if one else "no further parameter" for one in (own, other))
            return f"{here} in place of {there}"
    for what in ("counters", "head", "activation"):
        if getattr(layout, what) != getattr(wanted, what):
            name = "integer buffers" if what == "counters" else what
            return f"the {name} {getattr(layout, what)} in place of {getattr(wanted, what)}"
    raise ValueError("the layouts are equal")


def resnet18_shape(layout: Layout) -> tuple[int, int, int]:
    """Return what makes a ResNet-18 of this layout: width, classes and stem, see ``resnet18_layout``.

    Raises:
        DataError: it is another network's.
    """
    first = layout.entries[0].shape or (1,)
    shape = (first[0], layout.classes if layout.head else 0, 3 if first[-1] == 3 else 7)
    wanted = resnet18_layout(*shape)._replace(activation=layout.activation)
    if layout != wanted:
        raise DataError(
            f"these weights are not a ResNet-18's: {first_difference(layout, wanted)}; of other networks, only the "
            "linear stage and the encoders on top of it (`pca-ae`, `pca`, `ae-pca`) can be fitted, without a behaviour "
            "loss"
        )
    return shape


def resnet18_layout(width: int, classes: int, stem: int = 7) -> Layout:
    """Return the layout of ``wsl.zoo.network.resnet18(width, classes, stem)`` without importing torch.

    Every start of the workflow needs the names, and torch would add seconds to each; a test holds the two together.
    """
    named: list[tuple[str, tuple[int, ...]]] = []
    counters: list[str] = []

    def convolution(name: str, out: int, into: int, kernel: int) -> None:
        named.append((f"{name}.weight", (out, into, kernel, kernel)))

    def batch_norm(name: str, channels: int) -> None:
        named.extend((f"{name}.{key}", (channels,)) for key in ("weight", "bias", "running_mean", "running_var"))
        counters.append(f"{name}.num_batches_tracked")

    convolution("conv1", width, 3, stem)
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
    return layout_from(named, counters, HEAD)
