"""Small example images of each class, one JPEG file per class."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from wsl.files.hdf5 import open_hdf5
from wsl.files.plain import Files
from wsl.images.reading import packed_by_class

# Images per class and their height in pixels: the first choice whose files together are small enough.
CHOICES = ((4, 40), (4, 32), (3, 24), (2, 24), (1, 20), (1, 14))
MOST_BYTES = 800_000


def thumbnails(packed: Files, most: int = MOST_BYTES) -> dict[str, str]:
    """Return the first training images of every class side by side, as data URIs by class; none if all are too large.

    Args:
        packed: packed files, or a list of them.
        most: bytes of all together.
    """
    images = {name: _first(path, CHOICES[0][0]) for name, path in packed_by_class(packed).items()}
    for count, height in CHOICES:
        made = {name: _strip(values[:count], height) for name, values in images.items() if len(values)}
        if sum(map(len, made.values())) <= most:
            return made
    return {}


def _first(path: Path, count: int) -> np.ndarray:
    with open_hdf5(path) as file:
        return file["train"][:count]


def _strip(images: np.ndarray, height: int) -> str:
    """Return images, uint8 (n, size, size, 3), side by side as a data URI of a JPEG file."""
    strip = Image.fromarray(np.concatenate(list(images), axis=1))
    height = min(height, strip.height)
    strip = strip.resize((height * len(images), height), Image.Resampling.LANCZOS)
    with io.BytesIO() as file:
        strip.save(file, "JPEG", quality=80)
        return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
