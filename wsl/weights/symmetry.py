"""Permutation symmetries: reordering channels in all parameters that write or read them changes no output."""

from functools import cache

import numpy as np

from wsl.zoo.architectures.base import Axes, Axis
from wsl.zoo.architectures.tracing import permuted
from wsl.zoo.layout import Layout
from wsl.zoo.recognition import architecture_of

Permutations = dict[str, np.ndarray]


@cache
def permutable(layout: Layout) -> dict[str, Axes]:
    """Return, by group, the parameters and axes that one permutation of channels reorders together.

    It is empty where the architecture has no symmetry.

    Raises:
        DataError: the architecture of the layout is not known.
    """
    return architecture_of(layout).channel_groups(layout)


@cache
def _groups_of(layout: Layout) -> dict[str, list[tuple[Axis, str]]]:
    """Return the axes of each parameter that permutations reorder, each with its group."""
    groups: dict[str, list[tuple[Axis, str]]] = {}
    for group, axes in permutable(layout).items():
        for axis in axes:
            groups.setdefault(axis.name, []).append((axis, group))
    return groups


def group_sizes(layout: Layout) -> dict[str, int]:
    """Return the number of channels of every group."""
    return {group: axes[0].size for group, axes in permutable(layout).items()}


def reorder(values: np.ndarray, name: str, layout: Layout, permutations: Permutations) -> np.ndarray:
    """Return the values of a named parameter, shaped, with its channels reordered.

    Channel i is the old channel ``permutations[group][i]``; groups without a permutation do not change.
    """
    for axis, group in _groups_of(layout).get(name, ()):
        if group in permutations:
            values = permuted(values, axis, permutations[group])
    return values


def permutation_index(layout: Layout, permutations: Permutations) -> np.ndarray:
    """Return places (n_weights,) such that ``weights[places]`` is the same network with its channels reordered."""
    places = layout.split(np.arange(layout.size))
    return np.concatenate([reorder(values, name, layout, permutations).ravel() for name, values in places.items()])


def random_permutations(layout: Layout, rng: np.random.Generator) -> Permutations:
    """Return a random permutation of every group."""
    return {group: rng.permutation(size) for group, size in group_sizes(layout).items()}
