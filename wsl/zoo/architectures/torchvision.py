"""Classifiers of torchvision."""

from pydantic import field_validator

from wsl.zoo.architectures._library import LibraryClassifier
from wsl.zoo.architectures.base import ARCHITECTURES, COLOURS


@ARCHITECTURES.register("torchvision")
class Torchvision(LibraryClassifier):
    """Any classifier of torchvision that accepts the size of the images, for example `torchvision:vgg11`.

    Weights are random.
    """

    libraries = ("torch", "torchvision")

    @field_validator("channels")
    @classmethod
    def _only_colours(cls, channels: int) -> int:
        if channels != COLOURS:
            raise ValueError(
                "torchvision builds networks for three channels only; choose timm, or another architecture"
            )
        return channels

    def known(self):
        from torchvision import models

        return models.list_models(module=models)

    def create(self, classes, size):
        from torchvision import models

        settings = {}
        if self.model.startswith("vit_"):
            settings = {"image_size": size}
        elif self.model.startswith("maxvit_"):
            settings = {"input_size": (size, size)}
        elif self.model in ("googlenet", "inception_v3"):  # further classifiers on hidden layers
            settings = {"aux_logits": False, "init_weights": True}
        return models.get_model(self.model, weights=None, num_classes=classes, **settings)
