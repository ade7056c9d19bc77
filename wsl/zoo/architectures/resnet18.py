"""ResNet-18 of any width (He et al. 2015), with torchvision's names of modules and parameters."""

import re
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from wsl.settings.sections import PositiveInt
from wsl.zoo.architectures._activations import Activation
from wsl.zoo.architectures.base import ARCHITECTURES, Architecture, Axes, Recognised

SYNONYMS = {"shortcut": "downsample", "linear": "fc"}  # parts of names in other programs


@ARCHITECTURES.register("resnet18")
class ResNet18(Architecture):
    """ResNet-18 (section 3.1)."""

    width: PositiveInt = Field(8, description="channels of the first stage; 64: torchvision's ResNet-18")
    stem: Literal[3, 7] = Field(
        7,
        description="kernel size of the first convolution; 3: stride 1 and no pooling, as is usual for images of 32 "
        "pixels",
    )
    activation: Activation = Field("relu", description="activation in all places of the usual ReLU")

    sized = False
    unseen = ("activation",)

    @property
    def nonlinearity(self):
        """The activation, by its name in the config."""
        return self.activation

    @model_serializer(mode="wrap")
    def _as_earlier_versions(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the settings without the usual activation, so that descriptions in existing files stay equal."""
        return {key: value for key, value in handler(self).items() if (key, value) != ("activation", "relu")}

    def build(self, classes, size):
        from wsl.zoo.architectures._resnet18 import SlimResNet18

        return SlimResNet18(self.width, classes, self.stem, self.activation)

    def blocks(self, network):
        from wsl.zoo.architectures._resnet18 import BasicBlock

        return [module for module in network.modules() if isinstance(module, BasicBlock)]

    def channel_groups(self, layout):
        # Residual blocks add their output to their input, so all blocks of a stage share the channels of one *stream*
        # (layer1 to layer4; the stem belongs to layer1). Channels between the two convolutions of a block are a group
        # of their own (layer1.0, ...).
        groups: dict[str, Axes] = {}
        for entry in layout.entries:
            for axis, group in enumerate(_channels(entry.name)):
                if group:
                    groups[group] = (*groups.get(group, ()), (entry.name, axis))
        return groups

    @classmethod
    def own_names(cls, names):
        return {name: ".".join(SYNONYMS.get(part, part) for part in name.split(".")) for name in names}

    @classmethod
    def recognise(cls, shapes):
        first, head = (shapes.get(name, ()) for name in ("conv1.weight", "fc.weight"))
        if len(first) != 4 or len(head) != 2 or first[-1] not in (3, 7):
            return None
        network = Recognised(cls(width=first[0], stem=first[-1]), head[0], None)
        return network if shapes == {entry.name: entry.shape for entry in network.layout.entries} else None


def _channels(name: str) -> tuple[str | None, ...]:
    """Return the groups of a parameter's first axes; None: the axis does not belong to a group."""
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
