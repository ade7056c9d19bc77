"""Permutation symmetries of any network, from a trace of its operators (torch.fx).

The network runs once without memory (on the meta device), which records all operators of ATen that it calls. Each axis
of each parameter starts as channels that may be permuted freely; each operator then determines which axes must be
permuted together, and which not at all (``_rules``). The remaining permutations change no output.
"""

from __future__ import annotations

import hashlib
import json
import logging
import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wsl.files.plain import cache_file, read_cached, write_cached
from wsl.jobs.provenance import code_digest
from wsl.settings.registry import module_file
from wsl.zoo.architectures._channels import Axis, Channels, Factors, acting, fix, fresh

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.fx import Graph, Node

    from wsl.zoo.architectures.base import Architecture
    from wsl.zoo.layout import Layout

log = logging.getLogger(__name__)
Groups = dict[str, tuple[Axis, ...]]
TOLERANCE = 1e-6  # of outputs in double precision, relative to their largest value
MOST_CONFIRMED = 30_000_000  # weights; larger networks are only traced
IMAGES, COLOURS, SIDE = 2, 3, 64  # of the inputs in a trace; the side where an architecture accepts any


def groups_of(architecture: Architecture, layout: Layout) -> Groups:
    """Return the permutation symmetries of an architecture's networks with this layout, also from the user's cache."""
    module = module_file(type(architecture))
    known = [architecture.text(), layout.classes, layout.image_size, code_digest(module), code_digest(Path(__file__))]
    known += map(version, architecture.libraries)
    path = cache_file("symmetries", f"{hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32]}.json")
    groups = read_cached(path, groups_from_text)
    if groups is None:
        groups = _built_groups(architecture, layout)
        if groups:  # another try may succeed
            write_cached(path, json.dumps(groups))
    return groups


def groups_from_text(text: str) -> Groups:
    """Return groups from JSON."""
    return {group: tuple(Axis(*axis) for axis in axes) for group, axes in json.loads(text).items()}


def _built_groups(architecture: Architecture, layout: Layout) -> Groups:
    """Trace a build without memory, and try the groups on a build with memory."""
    import torch

    side = layout.image_size or SIDE
    shape = (IMAGES, COLOURS, side, side)
    with torch.device("meta"):
        network = architecture.network(layout.classes, layout.image_size)
    try:
        groups = traced_groups(network, shape)
        if layout.size > MOST_CONFIRMED:
            return groups
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            return confirmed(groups, architecture.network(layout.classes, layout.image_size), shape)
    except Exception as error:  # of any network's code
        log.warning("%s cannot be traced, so none of its channels are permuted: %s", architecture, error)
        return {}


def traced_groups(network: nn.Module, shape: Sequence[int]) -> Groups:
    """Return the permutation symmetries of a network.

    Args:
        network: on any device, the meta device included; it is not changed.
        shape: of its inputs, with two or more images, because axes of length 1 have no channels.

    Returns:
        By group: the axes that one permutation of channels reorders together, in the order of the state dict. A group
        has the name of the module that its first parameter belongs to, with a number where there are several.
    """
    tensors = _tensors(network)
    axes = {key: [fresh(size) for size in tensor.shape] for key, (tensor, _) in tensors.items()}
    for key, (_tensor, names) in tensors.items():
        for axis in () if names else axes[key]:
            fix(axis)  # not a part of the state dict, so it cannot be permuted
    _interpret(_graph(network, {key: tensor for key, (tensor, _) in tensors.items()}, shape), list(axes.values()))
    by_name = {name: value for key, value in axes.items() for name in tensors[key][1]}
    named = [(name, number, axis) for name in network.state_dict() for number, axis in enumerate(by_name.get(name, ()))]
    for place in named * 2:
        acting(*place)  # merges copies of channels that are used together
    acts: dict[Channels, list[Axis]] = {}
    for place in named:
        for channels, axis in acting(*place):
            acts.setdefault(channels, []).append(axis)
    groups: Groups = {}
    for group in acts.values():
        module = group[0].name.rpartition(".")[0] or group[0].name
        names = (f"{module}#{number}" if number > 1 else module for number in count(1))
        groups[next(name for name in names if name not in groups)] = tuple(group)
    return groups


def confirmed(groups: Groups, network: nn.Module, shape: Sequence[int]) -> Groups:
    """Return the groups whose random permutations leave the outputs of a network equal, and warn of others.

    Args:
        groups: of the network.
        network: with memory; its parameters are replaced by random ones in double precision.
        shape: of its inputs.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    network = network.double().eval()
    state = {
        name: _random(value, generator) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    images = torch.randn(tuple(shape), generator=generator, dtype=torch.float64)

    def outputs(chosen: list[str]) -> torch.Tensor:
        moved = dict(state)
        for group in chosen:
            order = torch.randperm(groups[group][0].size, generator=generator).numpy()
            for axis in groups[group]:
                moved[axis.name] = torch.from_numpy(permuted(moved[axis.name].numpy(), axis, order))
        network.load_state_dict(moved)
        with torch.no_grad():
            return network(images)

    expected = outputs([])
    bound = TOLERANCE * expected.abs().max()
    wrong = [] if (outputs(list(groups)) - expected).abs().max() <= bound else list(groups)
    wrong = [group for group in wrong if not (outputs([group]) - expected).abs().max() <= bound]
    for group in wrong:
        log.warning("channels %s of %s are not permutable, against its trace", group, type(network).__name__)
    return {group: axes for group, axes in groups.items() if group not in wrong}


def blocks(values: np.ndarray, axis: Axis) -> np.ndarray:
    """Return the part of a parameter that a permutation acts on, its axis viewed as (before, size, after)."""
    stop = axis.start + axis.before * axis.size * axis.after
    part = values[(*[slice(None)] * axis.axis, slice(axis.start, stop))]
    shape = values.shape
    return part.reshape(*shape[: axis.axis], axis.before, axis.size, axis.after, *shape[axis.axis + 1 :])


def permuted(values: np.ndarray, axis: Axis, order: np.ndarray) -> np.ndarray:
    """Return a parameter whose channels are reordered on an axis: channel i becomes what was ``order[i]``."""
    part = np.take(blocks(values, axis), order, axis.axis + 1)
    length = axis.before * axis.size * axis.after
    if length == values.shape[axis.axis]:
        return part.reshape(values.shape)
    values = values.copy()
    where = (*[slice(None)] * axis.axis, slice(axis.start, axis.start + length))
    values[where] = part.reshape(values[where].shape)
    return values


def _tensors(network: nn.Module) -> dict[str, tuple[torch.Tensor, list[str]]]:
    """Return all parameters and buffers, each with the names that it has in the state dict, if any."""
    names: dict[int, list[str]] = {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        names.setdefault(id(tensor), []).append(name)
    known = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return {
        key: (tensor, names.get(id(tensor), []) if tensor.is_floating_point() else []) for key, tensor in known.items()
    }


def _graph(network: nn.Module, tensors: dict[str, torch.Tensor], shape: Sequence[int]) -> Graph:
    """Return the operators of a forward pass; its inputs are the tensors and the images."""
    import torch
    from torch.func import functional_call, functionalize
    from torch.fx.experimental.proxy_tensor import make_fx

    def forward(*values: torch.Tensor) -> torch.Tensor:
        return functional_call(network, dict(zip(tensors, values, strict=False)), (values[-1],))

    empty = [torch.empty_like(tensor, device="meta", requires_grad=False) for tensor in tensors.values()]
    with torch.no_grad(), _evaluating(network), torch.device("meta"):
        graph = make_fx(functionalize(forward))(*empty, torch.empty(tuple(shape))).graph
    graph.eliminate_dead_code()
    return graph


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _interpret(graph: Graph, inputs: list[list[Factors]]) -> None:
    """Restrict the channels of the inputs by all operators of a graph."""
    from torch.fx.node import map_arg

    # The rules of views are imported by those of layers.
    from wsl.zoo.architectures import _rules_of_layers  # noqa: F401
    from wsl.zoo.architectures._rules import apply, fix_all, fixed

    values: dict[Any, Any] = {}
    waiting = iter(inputs)
    for node in graph.nodes:
        if node.op == "output":
            map_arg(node.args, lambda used: fix_all(values[used]))
        elif node.op == "placeholder":
            values[node] = next(waiting, None) or fixed(node.meta["val"].shape)
        elif node.op != "call_function":
            values[node] = fixed(node.meta["val"].shape)
        elif node.target is operator.getitem:
            values[node] = values[node.args[0]][node.args[1]]
        elif _relabelled(node):
            values[node] = values[node.args[0]]
        else:
            several = isinstance(node.meta["val"], list | tuple)
            shapes = [list(output.shape) for output in (node.meta["val"] if several else [node.meta["val"]])]
            arguments, options = (map_arg(given, values.__getitem__) for given in (node.args, node.kwargs))
            outputs = apply(node.target, arguments, options, shapes)
            values[node] = outputs if several else outputs[0]


def _relabelled(node: Node) -> bool:
    """Return whether an operator only changes strides of axes of length 1, as adaptive pooling does."""
    if node.target._schema.name not in ("aten::as_strided", "aten::as_strided_"):
        return False
    before, after = (
        (one.shape, [stride for size, stride in zip(one.shape, one.stride(), strict=True) if size > 1])
        for one in (node.args[0].meta["val"], node.meta["val"])
    )
    return before == after and node.meta["val"].storage_offset() == node.args[0].meta["val"].storage_offset()


def _random(value: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return numbers that all differ: around 1 in vectors, with the usual deviation in matrices."""
    import torch

    if value.ndim < 2:
        return torch.rand(value.shape, generator=generator, dtype=value.dtype) + 0.5
    return torch.randn(value.shape, generator=generator, dtype=value.dtype) / value[0].numel() ** 0.5
