"""The large convolutional network of the model-zoo papers."""

from pydantic import Field

from wsl.zoo.architectures._listed import Filters, ListedCnn
from wsl.zoo.architectures.base import ARCHITECTURES


@ARCHITECTURES.register("cnn-large")
class CnnLarge(ListedCnn):
    """Three convolutions and two linear layers: 10,853 weights for three input channels, 32 pixels and 10 classes.

    Published as CNN3. Modules of dropout are always in the list.
    """

    filters: Filters = Field([16, 32, 15], description="output channels of the three convolutions")

    kernels, pooled, published = (3, 3, 3), 3, 32
    always_has_dropout = True
