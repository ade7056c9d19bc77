"""Whose weights a state dict holds: its layout, under torchvision's names where it is a ResNet-18."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wsl.errors import DataError
from wsl.zoo.head import likely_heads, linear_modules
from wsl.zoo.layout import Layout, layout_from, resnet18_layout, resnet18_shape
from wsl.zoo.network import flatten

SYNONYMS = (("shortcut.", "downsample."), ("linear.", "fc."))


@dataclass(frozen=True)
class Hints:
    """What is known of a network beside its weights.

    Attributes:
        classes: number of the head's rows, as the user or the zoo's class names say.
        outputs: the same, as the zoo's hyper-parameters say; it decides only where names and shapes do not.
        head: name of the head's module, as the user says.
        activation: as the hyper-parameters say.
    """

    classes: int | None = None
    outputs: int | None = None
    head: str | None = None
    activation: str = "relu"


def as_torchvision(
    path: Path, state: dict[str, torch.Tensor], hints: Hints | None = None
) -> tuple[dict[str, torch.Tensor], Layout]:
    """Return the state dict of a file, and its layout; a ResNet-18's by torchvision's names and in its order.

    ``shortcut.0`` becomes ``downsample.0`` and ``linear.`` ``fc.``, only where all names and shapes are then a
    ResNet-18's, with torchvision's stem or one of 3 by 3; integer buffers may be missing, as in old checkpoints. Any
    other network keeps its own names and order.

    Args:
        path: of the file, for messages.
        state: its state dict, see ``wsl.zoo.states``.
        hints: what is known beside it; None: nothing.

    Raises:
        DataError: the head is not known, or the state dict holds what is neither weights nor counters.
    """
    hints = hints or Hints()
    renamed = torchvision_names(state)
    layout = _resnet18(renamed)
    if not layout:
        return state, _own(path, state, hints)
    if hints.head not in (None, "fc", "linear"):
        raise DataError(f"{path}: the head of a ResNet-18 is fc, not {hints.head}; leave --head out")
    return renamed, layout._replace(activation=hints.activation)


def torchvision_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a state dict with the synonyms of torchvision's names replaced, unless two names would become one."""
    renamed = {_renamed(name): value for name, value in state.items()}
    return renamed if len(renamed) == len(state) else state


def is_resnet18(layout: Layout) -> bool:
    """Return whether a layout is a ResNet-18's, of any width and either stem."""
    try:
        resnet18_shape(layout)
    except DataError:
        return False
    return True


def network_width(layout: Layout) -> int:
    """Return a ResNet-18's width, and of other networks how many features the head reads."""
    return resnet18_shape(layout)[0] if is_resnet18(layout) else layout[layout.head[0]].shape[-1]


def same_parameters(one: Layout, other: Layout) -> bool:
    """Return whether two layouts differ in nothing but the order of their parameters."""
    mine, theirs = ({(entry.name, entry.shape) for entry in layout.entries} for layout in (one, other))
    alike = (one.head, one.activation) == (other.head, other.activation)
    return alike and mine == theirs and set(one.counters) == set(other.counters)


def to_vector(path: Path, state: dict[str, torch.Tensor], layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Return flat weights, float32 (n_weights,), and integer buffers (n_counters,); those that are missing are 0.

    Raises:
        DataError: a weight is not finite.
    """
    absent = dict.fromkeys(layout.counters, 0)
    weights, counters = flatten({**absent, **state}, layout)
    if not np.isfinite(weights).all():
        bad = next(name for name, values in layout.split(weights).items() if not np.isfinite(values).all())
        raise DataError(
            f"{path}: {bad} holds NaN or infinite numbers; leave its epoch out by --epochs, or the run by --leave-out"
        )
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


def _own(path: Path, state: dict[str, torch.Tensor], hints: Hints) -> Layout:
    named, counters = [], []
    for name, value in state.items():
        if value.is_floating_point():
            named.append((name, tuple(value.shape)))
        elif value.numel() == 1 and not value.is_complex():
            counters.append(name)
        else:
            raise DataError(f"{path}: {name} holds {value.dtype}, which are not weights; take it out of the state dict")
    if not any(len(shape) == 2 for _, shape in named):
        raise DataError(
            f"{path}: no parameter is a matrix, whose rows would be classes; only classifiers can be imported"
        )
    return layout_from(named, counters, _head(path, dict(named), hints))


def _head(path: Path, shapes: dict[str, tuple[int, ...]], hints: Hints) -> tuple[str, ...]:
    modules = linear_modules(shapes)
    if hints.head is not None:
        if hints.head not in modules:
            raise DataError(
                f"{path}: no linear module is called {hints.head}; --head may be {_listed(modules, shapes)}"
            )
        return modules[hints.head]
    likely = likely_heads(shapes, hints.classes)
    rows = [shapes[names[0]][0] for names in modules.values()]
    if hints.classes is None and hints.outputs in rows and [shapes[one[0]][0] for one in likely] != [hints.outputs]:
        told = likely_heads(shapes, hints.outputs)
        # Where shapes say something else than hyper-parameters, neither is taken.
        likely = told if len(likely) > 1 else [*likely, *told]
    if len(likely) == 1:
        return likely[0]
    open_ = {module: names for module, names in modules.items() if names in likely}
    raise DataError(
        f"{path}: the head may be {_listed(open_, shapes)}, and names and shapes leave it open; give the number of "
        "classes by --classes, or the module by --head"
    )


def _listed(modules: dict[str, tuple[str, ...]], shapes: dict[str, tuple[int, ...]]) -> str:
    return " or ".join(f"{module} ({shapes[names[0]][0]} rows)" for module, names in modules.items())
