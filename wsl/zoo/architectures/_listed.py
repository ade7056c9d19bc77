"""Networks that are a list of modules, as those of the model-zoo papers, whose names of parameters they have.

Schürholt et al. 2022, *Model Zoos: A Dataset of Diverse Populations of Neural Network Models*, and 2024, *Towards
Scalable and Versatile Weight Space Learning*.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from wsl.errors import ConfigError
from wsl.settings.sections import PositiveInt
from wsl.zoo.architectures._activations import Activation
from wsl.zoo.architectures.base import UNKNOWN, Architecture, Channels, Recognised
from wsl.zoo.head import Shapes

if TYPE_CHECKING:
    from torch import nn

Initialisation = Literal["uniform", "normal", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal"]
HIDDEN = 20  # units between the convolutions and the head


class Listed(Architecture):
    """A list of modules. Parameters are named by position (``module_list.0.weight``), like the authors' own.

    Attributes:
        always_has_dropout: whether modules of dropout are in the list, and counted in names, even if their rate is 0.
        flat: whether the list begins with pixels (n, channels * size * size).
    """

    activation: Activation | None = Field(
        "leakyrelu", description="activation; empty: not known, only in networks that others trained"
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        0.0, description="dropout rate; empty: not known, only in networks that others trained; acts as 0"
    )
    initialisation: Initialisation | None = Field(
        "kaiming_uniform",
        description="random initial weights, by the function of `torch.nn.init` with this name; biases start at 0.01; "
        "empty: as torch's layers initialise themselves",
    )
    channels: Channels = 3

    unseen = ("activation", "dropout", "initialisation")
    always_has_dropout: ClassVar[bool] = False
    flat: ClassVar[bool] = False

    @property
    def nonlinearity(self) -> str:
        """The activation, by its name in the config."""
        return self.activation or UNKNOWN

    def check(self, size: int) -> None:
        if self.activation is None:
            raise ConfigError("zoo.architecture.activation: not given; name the activation")
        self.modules(2, size)

    def modules(self, classes: int, size: int) -> list[tuple[Any, ...]]:
        """Return the kind and the sizes of each module, see ``wsl.zoo.architectures._listed_modules.module``.

        Args:
            classes: number of outputs.
            size: side of the images in pixels.

        Raises:
            ConfigError: the images are too small.
        """
        raise NotImplementedError

    def build(self, classes: int, size: int) -> nn.Module:
        from wsl.zoo.architectures._listed_modules import ListedNetwork

        modules = [part for part in self.modules(classes, size) if part[0] != "dropout" or self._has_dropout]
        return ListedNetwork(modules, self)

    @property
    def _has_dropout(self) -> bool:
        return self.always_has_dropout or self.dropout != 0

    @classmethod
    def recognise(cls, shapes: Shapes) -> Recognised | None:
        rates = (None,) if cls.always_has_dropout else (None, 0.0)  # a rate of 0 shows in names
        for rate in rates:
            for settings, classes, size in cls.candidates(shapes):
                found = Recognised(cls(**{**dict.fromkeys(cls.unseen), "dropout": rate, **settings}), classes, size)
                if shapes == {entry.name: entry.shape for entry in found.layout.entries}:
                    return found
        return None

    @classmethod
    def candidates(cls, shapes: Shapes) -> Iterator[tuple[dict[str, Any], int, int]]:
        """Yield settings, number of classes and size of images that names and shapes suggest; few, if any."""
        raise NotImplementedError


Filters = Annotated[list[PositiveInt], Field(min_length=3, max_length=3)]


class ListedCnn(Listed):
    """Three convolutions and two linear layers. A derived class has a setting ``filters``, one number each.

    Attributes:
        kernels: side of each convolution's kernel.
        pooled: number of convolutions that max pooling follows, the first ones.
        published: side of the images that the authors' network is made for.
    """

    kernels: ClassVar[tuple[int, ...]]
    pooled: ClassVar[int]
    published: ClassVar[int]

    def modules(self, classes: int, size: int) -> list[tuple[Any, ...]]:
        side, inputs, listed = self.side(size), self.channels, []
        if side < 1:
            least = next(other for other in range(size, size + 99) if self.side(other) > 0)
            raise ConfigError(
                f"zoo.architecture: {self.name} needs images of at least {least} pixels, but they have {size}; set "
                f"images.size to {least} or more, or choose another architecture"
            )
        for number, (outputs, kernel) in enumerate(zip(self.filters, self.kernels, strict=True)):
            pooled = number < self.pooled
            listed += [("conv", inputs, outputs, kernel), *([("pool",)] if pooled else []), ("activation",)]
            listed += [("dropout",)] if pooled else []
            inputs = outputs
        listed += [("flatten",), ("linear", inputs * side**2, HIDDEN), ("activation",), ("dropout",)]
        return [*listed, ("linear", HIDDEN, classes)]

    @classmethod
    def side(cls, size: int) -> int:
        """Return the side of the last feature map; below 1: the images are too small."""
        for number, kernel in enumerate(cls.kernels):
            size = size - kernel + 1
            size = size // 2 if number < cls.pooled else size
        return size

    @classmethod
    def candidates(cls, shapes: Shapes) -> Iterator[tuple[dict[str, Any], int, int]]:
        arrays = [shape for _, shape in sorted(shapes.items(), key=_position) if len(shape) > 1]
        if [len(shape) for shape in arrays] != [4, 4, 4, 2, 2] or arrays[0][1] not in (1, 3):
            return
        settings = {"channels": arrays[0][1], "filters": [shape[0] for shape in arrays[:3]]}
        # Several sizes have equal shapes: the published one, or the smallest.
        for size in (cls.published, *range(1, 256)):
            if cls.side(size) > 0 and arrays[2][0] * cls.side(size) ** 2 == arrays[3][1]:
                yield settings, arrays[4][0], size
                return


def _position(named: tuple[str, tuple[int, ...]]) -> tuple[int, str]:
    """Return the number in a name, by which modules are ordered, and the name."""
    number = named[0].removeprefix("module_list.").partition(".")[0]
    return (int(number) if number.isdecimal() else -1), named[0]
