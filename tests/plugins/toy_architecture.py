"""A plug-in: multilayer perceptrons on pixels."""

from pydantic import Field
from torch import nn

from wsl.settings.sections import PositiveInt
from wsl.zoo.architectures.base import ARCHITECTURES, Architecture, Recognised


@ARCHITECTURES.register("toy-mlp")
class ToyMlp(Architecture):
    """Multilayer perceptron with one hidden layer on pixels, averaged in blocks of 4 by 4."""

    hidden: PositiveInt = Field(6, description="units of the hidden layer")

    def build(self, classes, size):
        inputs = 3 * (size // 4) ** 2
        return nn.Sequential(
            nn.AvgPool2d(4), nn.Flatten(), nn.Linear(inputs, self.hidden), nn.ReLU(), nn.Linear(self.hidden, classes)
        )

    @classmethod
    def recognise(cls, shapes):
        first, last = shapes.get("2.weight", ()), shapes.get("4.weight", ())
        if len(shapes) != 4 or len(first) != 2 or len(last) != 2 or first[0] != last[1]:
            return None
        return Recognised(cls(hidden=first[0]), last[0], size=4 * round((first[1] / 3) ** 0.5))
