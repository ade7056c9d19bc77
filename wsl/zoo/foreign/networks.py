"""Whose weights a state dict holds: its layout, under torchvision's names where it is a ResNet-18."""

from pathlib import Path

import numpy as np
import torch

from wsl.errors import DataError
from wsl.zoo.layout import Layout, layout_from, resnet18_layout
from wsl.zoo.network import flatten

WRAPPINGS = ("module.", "_orig_mod.")  # of DataParallel and torch.compile
SYNONYMS = (("shortcut.", "downsample."), ("linear.", "fc."))


def as_torchvision(path: Path, state: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], Layout]:
    """Return the state dict of a file, and its layout; a ResNet-18's by torchvision's names and in its order.

    Names of wrappings go. ``shortcut.0`` becomes ``downsample.0`` and ``linear.`` ``fc.``, only where all names and
    shapes are then a ResNet-18's, with torchvision's stem or one of 3 by 3; integer buffers may be missing, as in old
    checkpoints. Any other network keeps its own names and order.

    Raises:
        DataError: the state dict has no matrix, whose rows would be classes, or numbers of other kinds.
    """
    for wrapping in WRAPPINGS * 2:
        if all(name.startswith(wrapping) for name in state):
            state = {name.removeprefix(wrapping): value for name, value in state.items()}
    renamed = {_renamed(name): value for name, value in state.items()}
    layout = _resnet18(renamed) if len(renamed) == len(state) else None
    return (renamed, layout) if layout else (state, _own(path, state))


def to_vector(path: Path, state: dict[str, torch.Tensor], layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Return flat weights, float32 (n_weights,), and integer buffers (n_counters,); those that are missing are 0.

    Raises:
        DataError: a weight is not finite.
    """
    absent = dict.fromkeys(layout.counters, 0)
    weights, counters = flatten({**absent, **state}, layout)
    if not np.isfinite(weights).all():
        bad = next(name for name, values in layout.split(weights).items() if not np.isfinite(values).all())
        raise DataError(f"{path}: {bad} holds NaN or infinite numbers; delete the file, or its whole member")
    return weights, counters


def _renamed(name: str) -> str:
    for theirs, ours in SYNONYMS:
        # Whole words alone.
        name = ours + name.removeprefix(theirs) if name.startswith(theirs) else name.replace("." + theirs, "." + ours)
    return name


def _resnet18(state: dict[str, torch.Tensor]) -> Layout | None:
    first, head = state.get("conv1.weight"), state.get("fc.weight")
    if first is None or head is None or first.ndim != 4 or head.ndim != 2:
        return None
    layout = resnet18_layout(first.shape[0], head.shape[0], 3 if first.shape[-1] == 3 else 7)
    floats = {name: tuple(value.shape) for name, value in state.items() if value.is_floating_point()}
    same = floats == {entry.name: entry.shape for entry in layout.entries}
    return layout if same and state.keys() - floats.keys() <= set(layout.counters) else None


def _own(path: Path, state: dict[str, torch.Tensor]) -> Layout:
    named, counters = [], []
    for name, value in state.items():
        if value.is_floating_point():
            named.append((name, value.shape))
        elif value.numel() == 1 and not value.is_complex():
            counters.append(name)
        else:
            raise DataError(f"{path}: {name} holds {value.dtype}, and no weights; take it out of the state dict")
    if not any(len(shape) == 2 for _, shape in named):
        raise DataError(
            f"{path}: no parameter is a matrix, whose rows would be classes; only classifiers can be imported"
        )
    return layout_from(named, counters)
