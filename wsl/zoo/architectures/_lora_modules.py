"""Modules of networks with low-rank adapters: frozen weights plus changes, or plus products of factors."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import nn

from wsl.errors import ConfigError
from wsl.zoo import factored
from wsl.zoo.layout import Layout

if TYPE_CHECKING:
    from wsl.zoo.architectures.lora import Lora

CHANGE, UP, DOWN, FROZEN = "change", "lora_B", "lora_A", "frozen"  # names in modules; the factors' are those of peft
State = dict[str, torch.Tensor]


class _Adapted:
    """A module whose ``weight`` is a frozen matrix plus a change."""

    @property
    def weight(self) -> torch.Tensor:
        return self.frozen + self.changed()

    def changed(self) -> torch.Tensor:
        """Return the change, with the shape of the weight."""
        if CHANGE in self._parameters:
            return self.change
        return (self.scale * (self.lora_B @ self.lora_A)).view_as(self.frozen)


class _Frozen:
    """Batch normalisation that always uses its running statistics."""

    def train(self, mode: bool = True) -> nn.Module:
        return super().train(False)

    def _load_from_state_dict(self, *arguments: object) -> None:
        """Load nothing, since state dicts have nothing of this layer; torch would expect its counter."""


@cache
def _derived(kind: type, of: type) -> type:
    return type(f"{kind.__name__.strip('_')}{of.__name__}", (kind, of), {})


def adaptable(network: nn.Module, head: str) -> dict[str, nn.Module]:
    """Return the modules that can be adapted, by name: linear layers, and convolutions without groups.

    ``torch.nn.MultiheadAttention`` does not call its own linear layer, so peft's adapters would have no effect on it.
    """
    modules = dict(network.named_modules())
    inner = {f"{name}.out_proj" for name, module in modules.items() if isinstance(module, nn.MultiheadAttention)}
    forwards = nn.Linear.forward, nn.Conv2d.forward
    return {
        name: module
        for name, module in modules.items()
        if getattr(type(module), "forward", None) in forwards
        and getattr(module, "groups", 1) == 1
        and name not in {head, *inner}
    }


def chosen_modules(network: nn.Module, head: str, targets: list[str] | str | None) -> list[str]:
    """Return the names of the adapted modules, see ``wsl.zoo.adapters.Lora``.

    Raises:
        ConfigError: a target matches no module that can be adapted; the message lists those that can.
    """
    modules = adaptable(network, head)
    if targets is None:
        point = (1, 1)
        patterns = {"": [name for name, module in modules.items() if getattr(module, "kernel_size", point) == point]}
    elif isinstance(targets, str):
        patterns = {targets: [name for name in modules if re.fullmatch(targets, name)]}
    else:
        patterns = {target: [name for name in modules if f".{name}".endswith(f".{target}")] for target in targets}
    for pattern, names in patterns.items():
        if not names:
            known = ", ".join(modules) or "none"
            raise ConfigError(
                f"zoo.adapter.lora.targets: {pattern or 'by default'} matches no module that can be adapted; choose "
                f"from {known}"
            )
    matched = {name for names in patterns.values() for name in names}
    return [name for name in modules if name in matched]


def adapt(network: nn.Module, lora: Lora) -> nn.Module:
    """Freeze a network except for its head, and add changes of 0 to the chosen modules."""
    head = lora.base.head(network)
    chosen = chosen_modules(network, head, lora.targets)
    for name, module in network.named_modules():
        if name == head:
            continue
        for key, parameter in list(module._parameters.items()):
            if parameter is not None:
                del module._parameters[key]
                module.register_buffer(key, parameter.detach())
        module._non_persistent_buffers_set |= module._buffers.keys()
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.__class__ = _derived(_Frozen, type(module))
    for name in chosen:
        module = network.get_submodule(name)
        weight = module._buffers.pop("weight")
        module.__class__ = _derived(_Adapted, type(module))
        module.register_buffer(FROZEN, weight, persistent=False)
        module.register_parameter(CHANGE, nn.Parameter(torch.zeros_like(weight)))
    return network


def adapted_modules(network: nn.Module) -> dict[str, nn.Module]:
    """Return the adapted modules by name."""
    return {name: module for name, module in network.named_modules() if isinstance(module, _Adapted)}


def load_frozen(network: nn.Module, state: State) -> None:
    """Load the frozen part of a network of ``adapt``, and the head if it has as many classes."""
    adapted = adapted_modules(network)
    head = network.state_dict()
    places = dict(network.named_buffers())
    for name, value in state.items():
        module, _, key = name.rpartition(".")
        ours = f"{module}.{FROZEN}" if module in adapted and key == "weight" else name
        if ours in places:
            places[ours].copy_(value)
        elif ours in head and head[ours].shape == value.shape:
            head[ours].copy_(value)


def factors(change: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return B (rows, rank) and A (rank, columns) with the product nearest to a change, on the CPU (truncated SVD)."""
    up, down = factored.factors(change.detach().flatten(1).cpu().numpy(), rank)
    return torch.from_numpy(up), torch.from_numpy(down)


def factorise(network: nn.Module, rank: int, scale: float) -> None:
    """Replace changes by factors, which are trained. Those of a change of 0 start at random, as in peft."""
    for module in adapted_modules(network).values():
        if CHANGE not in module._parameters:
            continue
        change = module._parameters.pop(CHANGE).detach()
        up, down = factors(change / scale, rank)
        if not change.any():
            # B is 0, so that the change stays 0. Drawn on the CPU, so that a GPU starts from the same numbers.
            nn.init.kaiming_uniform_(down, a=math.sqrt(5))
        module.scale = scale
        module.register_parameter(DOWN, nn.Parameter(down.to(change.device)))
        module.register_parameter(UP, nn.Parameter(up.to(change.device)))


def changes(network: nn.Module) -> State:
    """Return the state dict that the network would have without factors."""
    adapted = adapted_modules(network)
    state: State = {}
    for name, value in network.state_dict().items():
        module, _, key = name.rpartition(".")
        if key in (UP, DOWN):
            state[f"{module}.{CHANGE}"] = adapted[module].changed().detach()
        else:
            state[name] = value
    return state


def whole_state(network: nn.Module, layout: Layout) -> State:
    """Return the state dict of the whole network, whose layout is that of the frozen one, with the changes added."""
    names = [*(entry.name for entry in layout.entries), *layout.counters]
    state = {}
    for name in names:
        module, _, key = name.rpartition(".")
        state[name] = getattr(network.get_submodule(module), key).detach().clone()
    return state
