"""The image source `digits`: scikit-learn's handwritten digits."""

import numpy as np

from wsl.images.sources.base import SOURCES, PooledSource

IMAGES = 1797  # of all ten digits


@SOURCES.register("digits")
class Digits(PooledSource):
    """scikit-learn's handwritten digits: 8x8 grey levels from 0 to 16; larger sizes are interpolated."""

    title = "the digits"

    def names(self):
        return [str(digit) for digit in range(10)]

    def images(self, name, packing, seed):
        from sklearn.datasets import load_digits

        digits = load_digits()
        places = np.flatnonzero(digits.target == int(name))
        grey = np.round(digits.images[places] * (255 / 16)).astype(np.uint8)
        return {"train": [(f"digit {place}", image) for place, image in zip(places, grey, strict=True)]}

    def count(self, names):
        return IMAGES * len(names) // 10
