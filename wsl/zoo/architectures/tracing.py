"""Permutation symmetries of any network, from a trace of its operators (torch.fx).

The network runs once without memory (on the meta device), which records all operators of ATen that it calls. Each axis
of each parameter starts as channels that may be permuted freely; each operator then says which axes must be permuted
together, and which not at all (``_operators``). What is left are permutations that change no output.
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wsl.zoo.architectures._channels import Axis, Channels, Factors, acting, fresh

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.fx import Graph

log = logging.getLogger(__name__)
Groups = dict[str, tuple[Axis, ...]]
TOLERANCE = 1e-6  # of outputs in double precision, relative to their largest value


def traced_groups(network: nn.Module, shape: Sequence[int]) -> Groups:
    """Return the permutation symmetries of a network.

    Args:
        network: on any device, the meta device included; it is not changed.
        shape: of its inputs, with two or more images, so that the axis of images is no other axis.

    Returns:
        By group: the axes that one permutation of channels reorders together, in the order of the state dict. A group
        has the name of the module that its first parameter belongs to, with a number where there are several.
    """
    tensors = _tensors(network)
    axes = {key: [fresh(size) for size in tensor.shape] for key, (tensor, _) in tensors.items()}
    for key, (_tensor, names) in tensors.items():
        if not names:  # not a part of the state dict, so it cannot be permuted
            _fix(axes[key])
    _interpret(_graph(network, {key: tensor for key, (tensor, _) in tensors.items()}, shape), list(axes.values()))
    acts: dict[Channels, list[Axis]] = {}
    by_name = {name: value for key, value in axes.items() for name in tensors[key][1]}
    for name in network.state_dict():
        for number, axis in enumerate(by_name.get(name, ())):
            for channels, act in acting(name, number, axis):
                acts.setdefault(channels, []).append(act)
    groups: Groups = {}
    for found in acts.values():
        module, number = found[0].name.rpartition(".")[0] or found[0].name, 1
        name = module
        while name in groups:
            number += 1
            name = f"{module}#{number}"
        groups[name] = tuple(found)
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
            order = torch.randperm(groups[group][0].size, generator=generator)
            for axis in groups[group]:
                moved[axis.name] = permuted(moved[axis.name], axis, order)
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


def permuted(values: Any, axis: Axis, order: Any) -> Any:
    """Return a parameter, numpy array or tensor, whose channels on an axis are reordered: i becomes ``order[i]``."""
    length = axis.before * axis.size * axis.after
    index = (slice(None),) * axis.axis
    whole = axis.start == 0 and length == values.shape[axis.axis]
    part = values if whole else values[(*index, slice(axis.start, axis.start + length))]
    shape = part.shape
    part = part.reshape(*shape[: axis.axis], axis.before, axis.size, axis.after, *shape[axis.axis + 1 :])
    part = part[(*index, slice(None), order)].reshape(shape)
    if whole:
        return part
    values = values.clone() if hasattr(values, "clone") else values.copy()
    values[(*index, slice(axis.start, axis.start + length))] = part
    return values


def _tensors(network: nn.Module) -> dict[str, tuple[torch.Tensor, list[str]]]:
    """Return all parameters and buffers, each with the names that it has in the state dict, if any."""
    names: dict[int, list[str]] = {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        names.setdefault(id(tensor), []).append(name)
    known = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return {
        key: (tensor, names.get(id(tensor), []) if tensor.is_floating_point() else [])
        for key, tensor in known.items()
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

    from wsl.zoo.architectures._operators import apply, fix_all, fixed

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
        else:
            several = isinstance(node.meta["val"], list | tuple)
            shapes = [list(output.shape) for output in (node.meta["val"] if several else [node.meta["val"]])]
            arguments, options = (map_arg(given, values.__getitem__) for given in (node.args, node.kwargs))
            outputs = apply(node.target, arguments, options, shapes)
            values[node] = outputs if several else outputs[0]


def _fix(value: list[Factors]) -> None:
    from wsl.zoo.architectures._channels import fix

    for axis in value:
        fix(axis)


def _random(value: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return numbers that all differ: around 1 in vectors, with the usual deviation in matrices."""
    import torch

    if value.ndim < 2:
        return torch.rand(value.shape, generator=generator, dtype=value.dtype) + 0.5
    return torch.randn(value.shape, generator=generator, dtype=value.dtype) / value[0].numel() ** 0.5
