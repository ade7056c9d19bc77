"""The image source `digits`: scikit-learn's handwritten digits."""

from importlib.util import find_spec
from pathlib import Path

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
        # Its file alone: importing scikit-learn takes longer than all else that a job of packing does.
        folder = Path(find_spec("sklearn").submodule_search_locations[0], "datasets", "data")
        table = np.loadtxt(folder / "digits.csv.gz", delimiter=",")
        places = np.flatnonzero(table[:, -1] == int(name))
        grey = np.round(table[places, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
        return {"train": [(f"digit {place}", image) for place, image in zip(places, grey, strict=True)]}

    def count(self, names):
        return IMAGES * len(names) // 10
