"""Weight matching: reorder the channels of networks so that they lie close to a reference (Ainsworth et al. 2023)."""

import logging
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from wsl.errors import DataError
from wsl.files.hdf5 import new_hdf5
from wsl.randomness import stream
from wsl.weights.symmetry import Permutations, group_sizes, permutable, permutation_index, reorder
from wsl.zoo.architectures.base import Axis
from wsl.zoo.architectures.tracing import blocks
from wsl.zoo.index import open_zoo, read_snapshot, read_weights
from wsl.zoo.layout import Layout
from wsl.zoo.recognition import architecture_of

log = logging.getLogger(__name__)
MOST_SWEEPS = 100
GAIN = 1e-7  # minimum gain, relative to the sum of all inner products; smaller gains are rounding, without end


def match(weights: np.ndarray, reference: np.ndarray, layout: Layout, seed: int = 0) -> Permutations:
    """Return a permutation of every group that brings flat learned weights (n_weights,) close to a reference.

    Each group in turn gets its best permutation while the others are fixed (a linear assignment of channels by inner
    products), until no group improves: a local optimum, Algorithm 1 of Ainsworth et al. 2023. ``seed`` decides the
    order in which groups are visited.

    Raises:
        DataError: the architecture has no symmetry.
    """
    if not permutable(layout):
        raise DataError(
            f"the architecture {architecture_of(layout).name} has no permutation symmetry (channel_groups), so "
            "its networks cannot be aligned; set weights.align to false"
        )
    values, target = (layout.split(vector.astype(np.float64)) for vector in (weights, reference))
    permutations = {group: np.arange(size) for group, size in group_sizes(layout).items()}
    rng = stream(seed, "matching")
    for _ in range(MOST_SWEEPS):
        moved = False
        for group in rng.permutation(list(permutations)):
            # Running statistics are measured, not learned, and their large squares would dominate.
            axes = [axis for axis in permutable(layout)[group] if not layout[axis.name].running]
            products = sum(
                _inner_products(target[axis.name], reorder(values[axis.name], axis.name, layout, permutations), axis)
                for axis in axes
            )
            _, order = linear_sum_assignment(products, maximize=True)
            gain = products[np.arange(len(order)), order].sum() - products.trace()
            changed = permutations | {group: permutations[group][order]}
            names = sorted({axis.name for axis in axes})
            if len(names) < len(axes):  # two axes of a parameter move, so that products are not those of slices
                before, after = (
                    sum((target[name] * reorder(values[name], name, layout, chosen)).sum() for name in names)
                    for chosen in (permutations, changed)
                )
                gain = after - before
            if gain > GAIN * abs(products).sum():
                permutations, moved = changed, True
        if not moved:
            break
    return permutations


def align_part(index: str | Path, train_index: str | Path, out: str | Path, seed: int) -> None:
    """Write a copy of an index whose members are permuted to match the first training member, see ``match``.

    All snapshots of a member get the permutations of its last one, so that its trajectory stays intact.
    """
    with open_zoo(train_index) as training:
        reference = read_snapshot(training, training.trained[0])
    with open_zoo(index) as zoo, new_hdf5(out, large=True) as file:
        source = zoo.weights.file
        file.attrs.update(source.attrs)
        for name in set(source) - {"weights"}:
            source.copy(name, file)
        aligned = file.create_dataset("weights", zoo.weights.shape, dtype=np.float32)
        for member, rows in zoo.snapshots.groupby("member", sort=False).indices.items():
            weights = read_weights(zoo, slice(rows[0], rows[-1] + 1))
            permutations = match(weights[-1], reference, zoo.layout, seed)
            aligned[rows[0] : rows[-1] + 1] = weights[:, permutation_index(zoo.layout, permutations)]
            moved = sum(int((order != np.arange(len(order))).sum()) for order in permutations.values())
            log.info("member %s: %d channels moved", member, moved)


def _inner_products(target: np.ndarray, values: np.ndarray, axis: Axis) -> np.ndarray:
    """Return inner products (channels, channels) of slices along the channels of an axis."""
    rows = [np.moveaxis(blocks(tensor, axis), axis.axis + 1, 0).reshape(axis.size, -1) for tensor in (target, values)]
    return rows[0] @ rows[1].T
