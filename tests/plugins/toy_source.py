"""An image source in one file outside the package: stripes whose direction is the class."""

import numpy as np
from pydantic import Field

from wsl.images.sources.base import SOURCES, PooledSource
from wsl.randomness import stream
from wsl.settings.sections import PositiveInt

SIDE = 16


@SOURCES.register("stripes")
class Stripes(PooledSource):
    """Coloured stripes at eight angles; width, shift and colours are random."""

    title = "the stripes"
    drawn: PositiveInt = Field(40, description="images drawn per class")

    def names(self):
        return [f"stripes-{number}" for number in range(8)]

    def images(self, name, packing, seed):
        angle = np.pi * self.names().index(name) / 8
        return {"train": (stripes(angle, stream(seed, "stripes", name, index)) for index in range(self.drawn))}

    def count(self, names):
        return self.drawn * len(names)


def stripes(angle, rng):
    """Return one image, uint8 (SIDE, SIDE, 3)."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    distance = rows * np.cos(angle) + columns * np.sin(angle)
    inside = np.sin(2 * np.pi * (distance / rng.uniform(4, 7) + rng.uniform())) > 0
    return rng.integers(0, 256, (2, 3), dtype=np.uint8)[inside.astype(int)]
