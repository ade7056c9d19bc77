"""The dataset encoder `backbone`: features of a frozen classifier in place of those of CLIP."""

from typing import Annotated

from pydantic import Field

from wsl.datasets.encoders.base import DATASET_ENCODERS, DatasetEncoder
from wsl.errors import ConfigError
from wsl.images.reading import MEAN, STD
from wsl.settings.sections import PositiveFloat, PositiveInt, one_of
from wsl.zoo.architectures.base import ARCHITECTURES


@DATASET_ENCODERS.register("backbone")
class Backbone(DatasetEncoder):
    """The mean of a class's features in a frozen pretrained classifier. It has no text features."""

    architecture: one_of(ARCHITECTURES, "resnet18") = Field(description="the classifier")
    checkpoint: Annotated[str, Field(min_length=1)] = Field(
        description="its weights: `pip:<package>`, those in an installed Python package, or a file with a state dict"
    )
    size: PositiveInt = Field(224, description="side to which images are resized (bicubic), in pixels")
    mean: tuple[float, float, float] = Field(
        MEAN, description="means of the channels in its training images, which are subtracted; pixels are from 0 to 1"
    )
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = Field(
        STD, description="deviations of the channels in its training images, which pixels are divided by"
    )

    features = "wsl.datasets.backbone.embed_by_backbone"
    reads_names = False
    reads_clip = False

    def check(self):
        if self.architecture.whole is not self.architecture:
            raise ConfigError("datasets.encoder.architecture: give that of a whole network, not of adapters")
        try:
            self.architecture.check(self.size)
            self.architecture.layout(1, self.size)
        except ConfigError as error:
            message = str(error).replace("zoo.architecture", "datasets.encoder.architecture")
            raise ConfigError(message.replace("images.size", "datasets.encoder.size")) from error

    def entries(self):
        return [type(self), type(self.architecture)]
