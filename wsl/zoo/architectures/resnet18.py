"""ResNet-18 of any width (He et al. 2015), with torchvision's names of modules and parameters."""

from typing import Literal

from pydantic import Field

from wsl.settings.sections import PositiveInt
from wsl.zoo.architectures._activations import Activation
from wsl.zoo.architectures.base import ARCHITECTURES, Architecture, Channels, Recognised

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
    channels: Channels = 3

    sized = False
    unseen = ("activation",)
    later = {"activation": "relu", "channels": 3}  # noqa: RUF012

    @property
    def nonlinearity(self):
        """The activation, by its name in the config."""
        return self.activation

    def build(self, classes, size):
        from wsl.zoo.architectures._resnet18 import SlimResNet18

        return SlimResNet18(self.width, classes, self.stem, self.activation, self.channels)

    def blocks(self, network):
        from wsl.zoo.architectures._resnet18 import BasicBlock

        return [module for module in network.modules() if isinstance(module, BasicBlock)]

    @classmethod
    def own_names(cls, names):
        return {name: ".".join(SYNONYMS.get(part, part) for part in name.split(".")) for name in names}

    @classmethod
    def recognise(cls, shapes):
        first, head = (shapes.get(name, ()) for name in ("conv1.weight", "fc.weight"))
        if len(first) != 4 or len(head) != 2 or first[-1] not in (3, 7) or first[1] not in (1, 3):
            return None
        network = Recognised(cls(width=first[0], stem=first[-1], channels=first[1]), head[0], None)
        return network if shapes == {entry.name: entry.shape for entry in network.layout.entries} else None
