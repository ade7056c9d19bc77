"""The small convolutional network of the model-zoo papers."""

from pydantic import Field

from wsl.zoo.architectures._listed import Filters, ListedCnn
from wsl.zoo.architectures.base import ARCHITECTURES


@ARCHITECTURES.register("cnn-small")
class CnnSmall(ListedCnn):
    """Three convolutions and two linear layers: 2,464 weights for one input channel, 28 pixels and 10 classes.

    Published as CNN (``filters`` 8, 6, 4) and CNN2 (6, 9, 6). Modules of dropout are in the list only if the rate is
    above 0, which changes the numbers in names of parameters.
    """

    filters: Filters = Field([8, 6, 4], description="output channels of the three convolutions")

    kernels, pooled, published = (5, 5, 2), 2, 28
