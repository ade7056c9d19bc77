"""Layouts of state dicts from other programs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wsl.errors import DataError
from wsl.zoo.head import likely_heads, linear_modules
from wsl.zoo.layout import Layout, layout_from
from wsl.zoo.network import flatten
from wsl.zoo.recognition import recognise


@dataclass(frozen=True)
class Hints:
    """What is known of a network besides its weights.

    Attributes:
        classes: number of the head's rows, as the user or the zoo's class names say.
        outputs: the same, as the zoo's hyper-parameters say; it decides only where names and shapes do not.
        head: name of the head's module, as the user says.
        activation: as the hyper-parameters say; None: they do not.
    """

    classes: int | None = None
    outputs: int | None = None
    head: str | None = None
    activation: str | None = None


def as_known(
    path: Path, state: dict[str, torch.Tensor], hints: Hints | None = None
) -> tuple[dict[str, torch.Tensor], Layout]:
    """Return the state dict in a file, and its layout; with the names and order of its architecture where it is known.

    Names are changed only if all names and shapes are then those of the architecture. Integer buffers may be missing,
    as in old checkpoints. Any other network keeps its own names and order.

    Args:
        path: of the file, for messages.
        state: its state dict, see ``wsl.zoo.states``.
        hints: what else is known of the network; None: nothing.

    Raises:
        DataError: the head is not known, or the state dict holds something else than weights and counters.
    """
    hints = hints or Hints()
    shapes = {name: tuple(value.shape) for name, value in state.items() if value.is_floating_point()}
    found = recognise(shapes, {"activation": hints.activation})
    if found:
        names, layout = found.architecture.own_names(state), found.layout
        renamed = {names[name]: value for name, value in state.items()}
        counters = {name for name, value in renamed.items() if not value.is_floating_point()}
        if len(renamed) == len(state) and counters <= set(layout.counters):
            head = layout.head[0].rpartition(".")[0]
            theirs = next(name for name in state if names[name] == layout.head[0]).rpartition(".")[0]
            if hints.head not in (None, head, theirs):
                raise DataError(
                    f"{path}: the head of {found.architecture.name} is {head}, not {hints.head}; omit --head"
                )
            return renamed, layout._replace(activation=hints.activation or layout.activation)
    return state, _own(path, state, hints)


def same_parameters(one: Layout, other: Layout) -> bool:
    """Return whether two layouts differ only in the order of their parameters."""
    mine, theirs = ({(entry.name, entry.shape) for entry in layout.entries} for layout in (one, other))
    alike = all(
        getattr(one, key) == getattr(other, key) for key in ("head", "activation", "architecture", "image_size")
    )
    return alike and mine == theirs and set(one.counters) == set(other.counters)


def to_vector(path: Path, state: dict[str, torch.Tensor], layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Return flat weights, float32 (n_weights,), and integer buffers (n_counters,); missing buffers are 0.

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
    return layout_from(named, counters, _head(path, dict(named), hints), hints.activation or "relu")


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
        # Where shapes and hyper-parameters disagree, the user must decide.
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
