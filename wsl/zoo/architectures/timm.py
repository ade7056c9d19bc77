"""Classifiers of timm."""

from wsl.zoo.architectures._library import LibraryClassifier
from wsl.zoo.architectures.base import ARCHITECTURES, COLOURS


@ARCHITECTURES.register("timm")
class Timm(LibraryClassifier):
    """Any classifier of timm that accepts the size of the images, for example `timm:resnet10t`.

    Weights are random.
    """

    libraries = ("torch", "timm")

    def known(self):
        import timm

        return timm.list_models()

    def create(self, classes, size):
        import timm

        config = timm.get_pretrained_cfg(self.model)
        settings = {"img_size": size} if config is not None and config.fixed_input_size else {}
        if self.channels != COLOURS:
            settings["in_chans"] = self.channels
        return timm.create_model(self.model, pretrained=False, num_classes=classes, **settings)
