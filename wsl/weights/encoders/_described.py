"""What the encoders `statistics` and `flat` share: they need no fit, and their latents cannot be decoded."""

from typing import ClassVar

from wsl.weights.encoders.base import WeightEncoder


class Described(WeightEncoder):
    """A description of networks, to predict results from it. ``module`` names the class of ``_features``."""

    decodes = False
    module: ClassVar[str]

    def prepare(self, data):
        from wsl.weights.encoders import _features

        return _features.prepare(getattr(_features, self.module)(data.training.layout), data)

    @classmethod
    def load(cls, about, linear):
        from wsl.weights.encoders import _features

        return getattr(_features, cls.module)(linear.layout, **about)
