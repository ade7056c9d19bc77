"""The layout: where each named parameter of a network lies in a flat snapshot."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import zip_longest
from math import prod
from typing import NamedTuple

import numpy as np

from wsl.errors import DataError
from wsl.images.reading import USUAL, Normalisation
from wsl.zoo.head import find_head


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
        """Whether it is a running statistic of torch's batch normalisation: measured, not learned."""
        return self.variance or self.name.endswith(".running_mean")

    @property
    def variance(self) -> bool:
        """Whether it is a running variance, which cannot be negative."""
        return self.name.endswith(".running_var")


class Layout(NamedTuple):
    """All floating-point entries of a state dict, in its order; integer buffers are stored separately."""

    entries: tuple[Entry, ...]
    counters: tuple[str, ...]  # names of integer buffers
    head: tuple[str, ...] = ()  # names of the head's parameters, whose rows are classes, matrix first; empty: unknown
    activation: str = "relu"
    architecture: str = ""  # name and settings as JSON, see ``wsl.zoo.architectures.base``; empty: unknown
    image_size: int | None = None  # side in pixels of the images that the network is built for; None: any
    normalisation: Normalisation = USUAL  # of the images
    frozen: tuple[str, str] | None = None  # file of weights that all networks share, and its SHA-256; None: no file

    @property
    def size(self) -> int:
        last = self.entries[-1]
        return last.offset + last.size

    @property
    def normalises(self) -> bool:
        """Whether networks have running statistics of batch normalisation."""
        return any(entry.running for entry in self.entries)

    @property
    def classes(self) -> int:
        """Number of classes.

        Raises:
            DataError: the head is unknown.
        """
        if not self.head:
            raise DataError("names and shapes do not identify the head of these weights; import the zoo with --head")
        return self[self.head[0]].shape[0]

    @property
    def owners(self) -> np.ndarray:
        """The number of the named parameter of each number (size,)."""
        return np.repeat(np.arange(len(self.entries)), [entry.size for entry in self.entries])

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
    """Return the layout of parameters with these names and shapes, and of integer buffers with these names.

    Without ``head``, ``find_head`` returns it.
    """
    entries, offset = [], 0
    for name, shape in named:
        entries.append(Entry(name, tuple(shape), offset))
        offset += prod(shape)
    head = find_head({entry.name: entry.shape for entry in entries}) if head is None else head
    return Layout(tuple(entries), tuple(counters), tuple(head), activation)


def layout_to_text(layout: Layout) -> str:
    """Return a layout as JSON, for files."""
    about = layout._asdict() | {"entries": [[entry.name, entry.shape] for entry in layout.entries]}
    for key, usual in (("normalisation", USUAL), ("frozen", None)):  # as in files of earlier versions
        if about[key] == usual:
            del about[key]
    return json.dumps(about)


@lru_cache(maxsize=64)  # thousands of members have the same text
def layout_from_text(text: str) -> Layout:
    """Return the layout that ``layout_to_text`` wrote; earlier versions stored only entries and counters."""
    about = json.loads(text)
    layout = layout_from(about["entries"], about["counters"], about.get("head"), about.get("activation", "relu"))
    normalisation = Normalisation(*map(tuple, about.get("normalisation", USUAL)))
    frozen = tuple(about["frozen"]) if "frozen" in about else None
    return layout._replace(
        architecture=about.get("architecture", ""),
        image_size=about.get("image_size"),
        normalisation=normalisation,
        frozen=frozen,
    )


def first_difference(layout: Layout, wanted: Layout) -> str:
    """Return where a layout first differs from another: a parameter with its shape, an integer buffer, or a fact."""
    for pair in zip_longest(layout.entries, wanted.entries):
        if pair[0] != pair[1]:
            actual, expected = (f"{entry.name} {entry.shape}" if entry else "no further parameter" for entry in pair)
            return f"{actual} in place of {expected}"
    for key, actual, expected in zip(Layout._fields, layout, wanted, strict=True):
        if actual != expected:
            name = {"counters": "integer buffers", "image_size": "size of images"}.get(key, key)
            return f"the {name} {actual} in place of {expected}"
    raise ValueError("the layouts are equal")
