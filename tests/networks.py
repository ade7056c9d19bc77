"""ResNet-18s and their layouts, as many tests need them."""

from torch import nn

from wsl.zoo.architectures.resnet18 import ResNet18
from wsl.zoo.layout import Layout
from wsl.zoo.network import network_for


def resnet18_layout(width: int, classes: int, stem: int = 7) -> Layout:
    """The layout of a ResNet-18."""
    return ResNet18(width=width, stem=stem).layout(classes, None)


def resnet18(width: int, classes: int, stem: int = 7) -> nn.Module:
    """A freshly initialised ResNet-18."""
    return network_for(resnet18_layout(width, classes, stem))
