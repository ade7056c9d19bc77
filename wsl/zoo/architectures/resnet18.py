"""ResNet-18 of any width (He et al. 2015), with torchvision's names of modules and parameters."""

from typing import Literal

from pydantic import Field

from wsl.settings.sections import PositiveInt
from wsl.zoo.architectures.base import ARCHITECTURES, Architecture, Recognised

SYNONYMS = (("shortcut.", "downsample."), ("linear.", "fc."))


@ARCHITECTURES.register("resnet18")
class ResNet18(Architecture):
    """ResNet-18 (section 3.1)."""

    width: PositiveInt = Field(8, description="channels of the first stage; 64: torchvision's ResNet-18")
    stem: Literal[3, 7] = Field(
        7,
        description="kernel size of the first convolution; 3: stride 1 and no pooling, as is usual for images of 32 "
        "pixels",
    )

    sized = False

    def build(self, classes, size):
        from wsl.zoo.architectures._resnet18 import SlimResNet18

        return SlimResNet18(self.width, classes, self.stem)

    def blocks(self, network):
        from wsl.zoo.architectures._resnet18 import BasicBlock

        return [module for module in network.modules() if isinstance(module, BasicBlock)]

    @classmethod
    def own_names(cls, names):
        return {name: _own_name(name) for name in names}

    @classmethod
    def recognise(cls, shapes):
        first, head = (shapes.get(name, ()) for name in ("conv1.weight", "fc.weight"))
        if len(first) != 4 or len(head) != 2 or first[-1] not in (3, 7):
            return None
        found = Recognised(cls(width=first[0], stem=first[-1]), head[0], None)
        return found if shapes == {entry.name: entry.shape for entry in found.layout.entries} else None


def _own_name(name: str) -> str:
    for theirs, ours in SYNONYMS:
        # Whole words only.
        name = ours + name.removeprefix(theirs) if name.startswith(theirs) else name.replace("." + theirs, "." + ours)
    return name
