"""ResNet-18s and their layouts, for many tests."""

import torch
from torch import nn

from wsl.zoo.architectures.resnet18 import ResNet18
from wsl.zoo.layout import Layout
from wsl.zoo.network import features_and_logits, network_for
from wsl.zoo.settings import Network


def resnet18_layout(width: int, classes: int, stem: int = 7) -> Layout:
    """The layout of a ResNet-18."""
    return ResNet18(width=width, stem=stem).layout(classes, None)


def resnet18(width: int, classes: int, stem: int = 7) -> nn.Module:
    """A freshly initialised ResNet-18."""
    return network_for(resnet18_layout(width, classes, stem))


def resnet18_network(width: int, classes: int) -> Network:
    """The section that names a ResNet-18."""
    return Network(architecture={"width": width}, classes=classes, size=32)


def features_of(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The inputs of the head."""
    return features_and_logits(network, images)[0]
