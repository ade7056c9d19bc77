"""The permutation symmetry of ResNet-18: channels may be reordered, in all that reads or writes them, at no change."""

import re
from functools import cache

import numpy as np

from wsl.zoo.layout import HEAD, Layout, resnet18_shape

Permutations = dict[str, np.ndarray]


@cache
def permutable(layout: Layout) -> dict[str, tuple[tuple[str, int], ...]]:
    """Return the groups of axes that one permutation of channels reorders together.

    Residual blocks add what they compute to their input, so that all blocks of a stage share the channels of one
    *stream* (``layer1`` to ``layer4``, the stem being ``layer1``'s); channels between a block's two convolutions
    are its own (``layer1.0``, ...).

    Returns:
        By group: names of parameters, each with the axis that the group's channels lie on.

    Raises:
        DataError: the layout is no ResNet-18's.
    """
    resnet18_shape(layout)
    groups: dict[str, list[tuple[str, int]]] = {}
    for entry in layout.entries:
        for axis, group in enumerate(_channels(entry.name)):
            if group:
                groups.setdefault(group, []).append((entry.name, axis))
    return {group: tuple(axes) for group, axes in groups.items()}


def _channels(name: str) -> tuple[str | None, ...]:
    """Return the groups of a parameter's output and input channels, those of an axis of its own; None is no group."""
    if name in HEAD:
        return (None, "layer4") if name == "fc.weight" else (None,)
    if name.startswith(("conv1", "bn1")):
        return ("layer1", None) if name == "conv1.weight" else ("layer1",)
    stage, block, part = re.match(r"layer(\d)\.(\d)\.(\w+)", name).groups()
    stream, inner = f"layer{stage}", f"layer{stage}.{block}"
    source = f"layer{int(stage) - 1}" if block == "0" and stage != "1" else stream
    if part == "downsample":
        return (stream, source) if ".downsample.0." in name else (stream,)
    return {"conv1": (inner, source), "bn1": (inner,), "conv2": (stream, inner), "bn2": (stream,)}[part]


def group_sizes(layout: Layout) -> dict[str, int]:
    """Return the number of channels of every group."""
    return {group: layout[axes[0][0]].shape[axes[0][1]] for group, axes in permutable(layout).items()}


def reorder(values: np.ndarray, name: str, permutations: Permutations) -> np.ndarray:
    """Return a named parameter's values, shaped, with its channels reordered.

    Channel i becomes what was channel ``permutations[group][i]``; groups left out stay.
    """
    for axis, group in enumerate(_channels(name)):
        if group in permutations:
            values = np.take(values, permutations[group], axis)
    return values


def permutation_index(layout: Layout, permutations: Permutations) -> np.ndarray:
    """Return places (n_weights,) such that ``weights[places]`` is the same network reordered, see ``reorder``."""
    places = layout.split(np.arange(layout.size))
    return np.concatenate([reorder(values, name, permutations).ravel() for name, values in places.items()])


def random_permutations(layout: Layout, rng: np.random.Generator) -> Permutations:
    """Return a random permutation of every group."""
    return {group: rng.permutation(size) for group, size in group_sizes(layout).items()}
