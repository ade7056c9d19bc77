"""Layouts of state dicts from other programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wsl.errors import DataError
from wsl.zoo.architectures.base import UNKNOWN
from wsl.zoo.foreign.exported import restored
from wsl.zoo.foreign.libraries import from_library
from wsl.zoo.head import Shapes, likely_heads, linear_modules
from wsl.zoo.layout import Layout, layout_from
from wsl.zoo.network import State, flatten
from wsl.zoo.recognition import recognise


@dataclass(frozen=True)
class Hints:
    """What is known of a network besides its weights."""

    classes: int | None = None  # rows of the head, from the user or the zoo's class names
    outputs: int | None = None  # the same from hyper-parameters; used only if names and shapes are ambiguous
    head: str | None = None  # name of the head's module, from the user
    activation: str | None = None  # from hyper-parameters
    settings: Mapping[str, Any] = field(default_factory=dict)  # other settings that weights do not show
    model: str | None = None  # name of the network in its library
    size: int | None = None  # side of the images in pixels
    layout: Any = None  # as `wsl export` wrote it


def as_known(path: Path, state: State, hints: Hints | None = None) -> tuple[State, Layout]:
    """Return a state dict and its layout, with the names and order of its architecture if that is known.

    Names are changed only if all names and shapes are then those of the architecture. Integer buffers may be missing,
    as in old checkpoints. Any other network keeps its own names and order.

    Raises:
        DataError: the head is unknown, or the state dict holds something else than weights and counters; the message
            starts with ``path``.
    """
    hints = hints or Hints()
    if hints.layout is not None and hints.head is None:
        exported = restored(path, state, hints.layout)
        if exported:
            return exported
    shapes = {name: tuple(value.shape) for name, value in state.items() if value.is_floating_point()}
    network = recognise(shapes, {**hints.settings, "activation": hints.activation})
    if hints.model and (network is None or network.architecture.columns().get("heads") == UNKNOWN):
        size = hints.size or (network.size if network else None)
        network = from_library(hints.model, tuple(sorted(shapes.items())), hints.classes, size) or network
    if network:
        architecture, layout = network.architecture, network.layout
        names = architecture.own_names(state)
        renamed = {names[name]: value for name, value in state.items()}
        counters = {name for name, value in renamed.items() if not value.is_floating_point()}
        if len(renamed) == len(state) and counters <= set(layout.counters):
            head = layout.head[0].rpartition(".")[0]
            theirs = next(name for name in state if names[name] == layout.head[0]).rpartition(".")[0]
            if hints.head not in (None, head, theirs):
                raise DataError(f"{path}: the head of {architecture.name} is {head}, not {hints.head}; omit --head")
            # An empty activation is that of a library's network, which no setting changes.
            activation = layout.activation and (hints.activation or layout.activation)
            return renamed, layout._replace(activation=activation)
    return state, _unknown_layout(path, state, hints)


def same_parameters(layout: Layout, other: Layout) -> bool:
    """Return whether two layouts differ only in the order of their parameters."""
    named, others = ({(entry.name, entry.shape) for entry in each.entries} for each in (layout, other))
    facts, other_facts = (each._replace(entries=(), counters=set(each.counters)) for each in (layout, other))
    return named == others and facts == other_facts


def to_vector(path: Path, state: State, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Return flat weights, float32 (n_weights,), and integer buffers (n_counters,); missing buffers are 0.

    Raises:
        DataError: a weight is not finite.
    """
    weights, counters = flatten({**dict.fromkeys(layout.counters, 0), **state}, layout)
    if not np.isfinite(weights).all():
        bad = next(name for name, values in layout.split(weights).items() if not np.isfinite(values).all())
        raise DataError(f"{path}: {bad} holds NaN or infinity; omit the epoch by --epochs, or the run by --leave-out")
    return weights, counters


def _unknown_layout(path: Path, state: State, hints: Hints) -> Layout:
    """Return the layout of a network of no known architecture."""
    shapes, counters = {}, []
    for name, value in state.items():
        if value.is_floating_point():
            shapes[name] = tuple(value.shape)
        elif value.numel() == 1 and not value.is_complex():
            counters.append(name)
        else:
            raise DataError(f"{path}: {name} holds {value.dtype}, which are not weights; take it out of the state dict")
    if not any(len(shape) == 2 for shape in shapes.values()):
        raise DataError(f"{path}: no parameter is a matrix with one row per class; only classifiers can be imported")
    return layout_from(shapes.items(), counters, _head(path, shapes, hints), hints.activation or "relu")


def _head(path: Path, shapes: Shapes, hints: Hints) -> tuple[str, ...]:
    modules = linear_modules(shapes)
    rows = {module: shapes[names[0]][0] for module, names in modules.items()}

    def listed(candidates: list[str]) -> str:
        return " or ".join(f"{module} ({rows[module]} rows)" for module in candidates)

    if hints.head is not None:
        if hints.head not in modules:
            raise DataError(f"{path}: no linear module is called {hints.head}; --head may be {listed([*modules])}")
        return modules[hints.head]
    likely = likely_heads(shapes, hints.classes)
    if hints.classes is None and hints.outputs in rows.values():
        by_outputs = likely_heads(shapes, hints.outputs)
        # Where shapes and hyper-parameters disagree, the user must decide.
        likely = by_outputs if len(likely) > 1 else list({*likely, *by_outputs})
    if len(likely) == 1:
        return likely[0]
    candidates = [module for module, names in modules.items() if names in likely]
    raise DataError(
        f"{path}: the head may be {listed(candidates)}; names and shapes do not identify it; give the number of "
        "classes by --classes, or the module by --head"
    )
