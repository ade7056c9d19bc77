"""Fit the tensors of a checkpoint to a layout by order and shapes, where names differ."""

import torch

from wsl.errors import DataError
from wsl.zoo.layout import Layout

State = dict[str, torch.Tensor]


def matched_by_order(tensors: State, layout: Layout) -> State:
    """Return the floating-point tensors of a state dict under the names of a layout, matched one to one in order.

    A state dict lists parameters in the order in which the network's code creates them. That order is taken as proof
    only if all kinds (``weight``, ``running_mean``) and shapes agree, and tensors of one module go to one module. What
    parameters do not show, such as padding or the epsilon of a normalisation, may still differ.

    Args:
        tensors: by name, in the order of their file.
        layout: of the network; the head may have another number of rows.

    Raises:
        DataError: the message names the first tensor that has no partner.
    """
    floats = [(name, value) for name, value in tensors.items() if value.is_floating_point()]
    names = [name for name, _ in floats]
    if len(names) != len(layout.entries):
        raise DataError(f"there are {len(names)} floating-point tensors in place of {len(layout.entries)}")
    if names == sorted(names):
        raise DataError("they are sorted by name, so the order of the modules is lost")
    matched: State = {}
    modules: dict[str, str] = {}
    for (name, value), entry in zip(floats, layout.entries, strict=True):
        start = 1 if entry.name in layout.head else 0
        (theirs, kind), (ours, wanted) = _parts(name), _parts(entry.name)
        agree = kind == wanted and value.ndim == len(entry.shape) and tuple(value.shape[start:]) == entry.shape[start:]
        if not agree or modules.setdefault(theirs, ours) != ours:
            actual = f"{name} {tuple(value.shape)}"
            raise DataError(f"in order, {actual} would be {entry.name} {entry.shape}, which is another parameter")
        matched[entry.name] = value
    if len(set(modules.values())) < len(modules):
        raise DataError("in order, parameters of several modules would be those of one")
    return matched


def _parts(name: str) -> tuple[str, str]:
    """Return the module and the kind of a parameter."""
    module, _, kind = name.rpartition(".")
    return module, kind
