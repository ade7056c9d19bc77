"""The groups of channels of ResNet-18, written by hand from its names, with which traced groups are compared."""

import re

from wsl.zoo.layout import Layout


def groups_by_hand(layout: Layout) -> dict[str, tuple[tuple[str, int], ...]]:
    """Return the groups of channels, each with names of parameters and their axes.

    Residual blocks add their output to their input, so all blocks of a stage share the channels of one *stream*
    (``layer1`` to ``layer4``; the stem belongs to ``layer1``). Channels between the two convolutions of a block
    are a group of their own (``layer1.0``, ...).
    """
    groups: dict[str, list[tuple[str, int]]] = {}
    for entry in layout.entries:
        for axis, group in enumerate(_channels(entry.name)):
            if group:
                groups.setdefault(group, []).append((entry.name, axis))
    return {group: tuple(axes) for group, axes in groups.items()}


def _channels(name: str) -> tuple[str | None, ...]:
    """Return the groups of a parameter's first axes; None: the axis belongs to no group."""
    if name.startswith("fc."):
        return (None, "layer4") if name == "fc.weight" else (None,)
    if name.startswith(("conv1", "bn1")):
        return ("layer1", None) if name == "conv1.weight" else ("layer1",)
    stage, block, part = re.match(r"layer(\d)\.(\d)\.(\w+)", name).groups()
    stream, inner = f"layer{stage}", f"layer{stage}.{block}"
    source = f"layer{int(stage) - 1}" if block == "0" and stage != "1" else stream
    if part == "downsample":
        return (stream, source) if ".downsample.0." in name else (stream,)
    return {"conv1": (inner, source), "bn1": (inner,), "conv2": (stream, inner), "bn2": (stream,)}[part]
