"""Multilayer perceptrons on pixels."""

import re
from math import isqrt
from typing import Annotated

from pydantic import Field

from wsl.settings.sections import PositiveInt
from wsl.zoo.architectures._listed import Listed
from wsl.zoo.architectures.base import ARCHITECTURES


@ARCHITECTURES.register("mlp")
class Mlp(Listed):
    """Linear layers on all pixels of an image. Parameters have the names of the published MLPs."""

    widths: Annotated[list[PositiveInt], Field(min_length=1)] = Field([32], description="units of each hidden layer")

    flat = True

    def modules(self, classes, size):
        inputs, listed = self.channels * size**2, []
        for width in self.widths:
            listed += [("linear", inputs, width), ("activation",), ("dropout",)]
            inputs = width
        return [*listed, ("linear", inputs, classes)]

    @classmethod
    def candidates(cls, shapes):
        matched = {name: re.fullmatch(r"module_list\.(\d+)\.weight", name) for name in shapes}
        arrays = [shapes[name] for name in sorted(filter(matched.get, shapes), key=lambda name: int(matched[name][1]))]
        if len(arrays) < 2 or any(len(shape) != 2 for shape in arrays):
            return
        pixels, (*widths, classes) = arrays[0][1], (shape[0] for shape in arrays)
        for channels in (1, 3):  # no number is both a square and three times a square
            side = isqrt(pixels // channels)
            if channels * side**2 == pixels:
                yield {"channels": channels, "widths": widths}, classes, side
