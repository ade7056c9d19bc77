"""Activations that architectures can choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

Activation = Literal["leakyrelu", "relu", "tanh", "sigmoid", "silu", "gelu"]


def activation_module(name: str | None) -> nn.Module:
    """Return the module of an activation with torch's defaults; None: the identity."""
    from torch import nn

    if name is None:
        return nn.Identity()
    classes = {"leakyrelu": nn.LeakyReLU, "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
    return (classes | {"silu": nn.SiLU, "gelu": nn.GELU})[name]()
