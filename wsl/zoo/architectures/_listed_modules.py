"""The modules of ``wsl.zoo.architectures._listed``."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from wsl.zoo.architectures._activations import activation_module
from wsl.zoo.architectures._listed import Listed
from wsl.zoo.initialisation import initialise


class ListedNetwork(nn.Module):
    """Modules that are applied in order.

    Input: float images (n, channels, height, width), normalised by ``Layout.normalisation``. Output: logits
    (n, classes).

    Args:
        modules: kind and sizes of each, see ``module``.
        settings: of the network. An activation that is not known is left out; ``wsl.zoo.network.network_for`` refuses
            such networks, of which only names and shapes are used.
    """

    def __init__(self, modules: Sequence[tuple[Any, ...]], settings: Listed):
        super().__init__()
        self.module_list = nn.ModuleList(module(*part, settings=settings) for part in modules)
        self.flat = settings.flat
        if settings.initialisation is not None:
            initialise(self, settings.initialisation)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits (n, classes) of images (n, channels, height, width)."""
        hidden = images.flatten(1) if self.flat else images
        for part in self.module_list:
            hidden = part(hidden)
        return hidden


def module(kind: str, *sizes: int, settings: Listed) -> nn.Module:
    """Return one module.

    Args:
        kind: ``conv`` (sizes: inputs, outputs, side of the kernel), ``linear`` (inputs, outputs), ``pool``,
            ``activation``, ``dropout`` or ``flatten``.
        sizes: of the kind.
        settings: of the network: its activation, and its rate of dropout.
    """
    if kind == "conv":
        return nn.Conv2d(*sizes)
    if kind == "linear":
        return nn.Linear(*sizes)
    if kind == "activation":
        return activation_module(settings.activation)
    return {"pool": nn.MaxPool2d(2), "dropout": nn.Dropout(settings.dropout or 0.0), "flatten": nn.Flatten()}[kind]
