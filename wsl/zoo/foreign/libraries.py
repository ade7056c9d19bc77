"""Networks of torchvision and timm, known by a name beside the weights and by all names and shapes of parameters."""

import re
from collections.abc import Sequence
from functools import lru_cache

from wsl.errors import ConfigError, DataError
from wsl.zoo.architectures.base import ARCHITECTURES, Architecture, Recognised
from wsl.zoo.head import likely_heads

LIBRARIES = ("torchvision", "timm")
# Of images, to try if it is not known; the first that fits is recorded.
SIZES = (32, 224, 64, 28, 96, 128, 160, 240, 256, 384)


@lru_cache(maxsize=64)  # all checkpoints of a zoo ask the same
def from_library(
    model: str, shapes: tuple[tuple[str, tuple[int, ...]], ...], classes: int | None, size: int | None
) -> Recognised | None:
    """Return the network of a library that a name and the shapes of all parameters identify; None: there is none.

    Args:
        model: the name, in any spelling: ``Resnet50``, ``torchvision:resnet50``, ``efficientnet-v2-s``.
        shapes: names and shapes of all parameters, sorted.
        classes: number of outputs; None: not known.
        size: side of the images in pixels; None: not known.
    """
    wanted = dict(shapes)
    rows = {classes} if classes else {wanted[head[0]][0] for head in likely_heads(wanted)}
    library, _, name = model.rpartition(":")
    for kind in [library] if library in LIBRARIES else LIBRARIES:
        cls = ARCHITECTURES[kind]
        for known in cls.model_construct(model=name).known():
            if _plain(known) != _plain(name.partition(".")[0]):
                continue
            for count in rows:
                if found := _at_any_size(cls(model=known), count, wanted, [size] if size else SIZES):
                    return found
    return None


def _at_any_size(
    architecture: Architecture, classes: int, wanted: dict[str, tuple[int, ...]], sizes: Sequence[int]
) -> Recognised | None:
    previous = None
    for size in sizes:
        found = Recognised(architecture, classes, size)
        try:
            shapes = {entry.name: entry.shape for entry in found.layout.entries}
        except (ConfigError, DataError):  # the network does not take images of this size
            continue
        if shapes == wanted:
            return found
        if shapes == previous or shapes.keys() != wanted.keys():  # other sizes do not change that
            return None
        previous = shapes
    return None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
