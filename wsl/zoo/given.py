"""One's own weights, in any form, as flat weights of a layout."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wsl.errors import DataError
from wsl.paths import split_member
from wsl.zoo.layout import Layout


def read_weights_of(given: Any, place: str = "") -> tuple[Any, str]:
    """Return weights as a state dict or a flat vector, and their name in messages.

    Args:
        given: state dict, network, flat vector, or the path of a file: a member, whose last snapshot is read (of a file
            of several members ``FILE:NUMBER``), or a state dict of any program. No code of a file is run.
        place: the name; empty: the path, or the type.

    Raises:
        DataError: it is of another kind, or the file cannot be read.
    """
    if isinstance(given, str | Path):
        import h5py

        from wsl.zoo.member import read_member
        from wsl.zoo.states import read_state

        path, _ = split_member(given)
        if not path.is_file():
            raise DataError(f"there is no file {path}; give a file of weights, a state dict or a network")
        if h5py.is_hdf5(path):
            weights = read_member(given).weights
            if not len(weights):
                raise DataError(f"{given} diverged, so it has no snapshots; give another member")
            return weights[-1], place or str(given)
        return read_state(given).tensors, place or str(given)
    if hasattr(given, "state_dict"):
        return given.state_dict(), place or f"the network {type(given).__name__}"
    if isinstance(given, Mapping):
        return given, place or "the state dict"
    if isinstance(given, np.ndarray) and given.ndim == 1:
        return given, place or "the vector of weights"
    raise DataError(f"a {type(given).__name__} holds no weights; give a state dict, a network or the path of a file")


def fits(weights: Any, layout: Layout) -> bool:
    """Return whether a state dict or flat vector has the parameters of a layout."""
    return _fault(_renamed(weights, layout), layout) is None


def flat_weights(weights: Any, layout: Layout, place: str, run: str | Path) -> np.ndarray:
    """Return flat weights (n_weights,) of a state dict, or of a flat vector, of a run's networks.

    Args:
        weights: see ``read_weights_of``; names of parameters may be those of other programs.
        layout: of the run's members.
        place: name of the weights, for messages.
        run: name of the run, for messages.

    Raises:
        DataError: they belong to another network, or are not finite.
    """
    from wsl.zoo.network import flatten

    weights = _renamed(weights, layout)
    if (fault := _fault(weights, layout)) is not None:
        if isinstance(weights, Mapping):
            raise DataError(f"{place} has other parameters than the members of {run} ({fault}); name its own run")
        raise DataError(
            f"{place} has snapshots of {len(weights)} numbers, and {run} of {layout.size}; name its own run"
        )
    if isinstance(weights, Mapping):
        weights = flatten({**dict.fromkeys(layout.counters, 0), **weights}, layout)[0]
    flat = np.float32(weights)
    if not np.isfinite(flat).all():
        raise DataError(f"{place} has values that are not finite; give trained weights")
    return flat


def _renamed(weights: Any, layout: Layout) -> Any:
    """Return a state dict with the names of a layout, where its architecture knows those of other programs."""
    from wsl.zoo.recognition import architecture_of

    if not isinstance(weights, Mapping):
        return weights
    try:
        names = type(architecture_of(layout)).own_names(weights)
    except DataError:  # of no known architecture
        return weights
    renamed = {names[name]: value for name, value in weights.items()}
    return renamed if len(renamed) == len(weights) else weights


def _fault(weights: Any, layout: Layout) -> str | None:
    if not isinstance(weights, Mapping):
        return None if len(weights) == layout.size else "the number of weights"
    for entry in layout.entries:
        if entry.name not in weights:
            return f"{entry.name} is missing"
        if (shape := tuple(weights[entry.name].shape)) != entry.shape:
            return f"{entry.name} has the shape {shape} in place of {entry.shape}"
    return None
