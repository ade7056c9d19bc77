"""Read a folder of images: decoded, resized, each once."""

import hashlib
import logging
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from wsl.images.classes import image_files

log = logging.getLogger(__name__)
# What the names of image files stand for. Pillow knows more formats, some of which call other programs.
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF")
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass
class Part:
    """Some images of a class: uint8 (n, size, size, 3), and where each comes from (n,)."""

    images: np.ndarray
    files: list[str]

    def at(self, places: Sequence[int]) -> "Part":
        """Return those at these places, in their order."""
        return Part(self.images[places], [self.files[place] for place in places])

    @property
    def digests(self) -> np.ndarray:
        """64 bits that tell each image from any other, uint64 (n,)."""
        return np.array([_digest(image) for image in self.images], dtype=np.uint64)


@dataclass
class LeftOut:
    """Files that a class has no use for.

    Attributes:
        skipped: they cannot be read.
        repeated: they hold the image of another file of their folder, by name the first.
        leaked: they hold a test image and lie among those to train on.
    """

    skipped: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)


def read_folder(folder: Path, size: int, left_out: LeftOut, tested: Collection[int] = ()) -> Part:
    """Return a folder's images, by the names of their files, each once.

    Images are the same if they are so once packed, whatever their files' bytes: nothing after it could tell them apart.

    Args:
        folder: of image files.
        size: images are scaled and centre-cropped to this square, pixels.
        left_out: gets the files that are left out.
        tested: digests of test images, which are not to be trained on.
    """
    images, files, seen, tested = [], [], set(), set(tested)
    for path in sorted(image_files(folder)):
        name = os.fsencode(path).decode("utf-8", "backslashreplace")
        try:
            with Image.open(path, formats=FORMATS) as image:
                image.draft("RGB", (size, size))  # lets a JPEG be decoded at a smaller scale; others ignore it
                packed = fitted(ImageOps.exif_transpose(image), size)
        except UNREADABLE as error:
            log.warning("skipped the unreadable image %s: %s", name, error)
            left_out.skipped.append(name)
            continue
        own = _digest(packed)
        if own in tested:
            log.warning("left out %s: its image is a test image, too", name)
            left_out.leaked.append(name)
        elif own in seen:
            log.warning("left out %s: another file of its folder holds the same image", name)
            left_out.repeated.append(name)
        else:
            seen.add(own)
            images.append(packed)
            files.append(name)
    return Part(np.array(images, dtype=np.uint8).reshape(-1, size, size, 3), files)


def _digest(image: np.ndarray) -> int:
    return int.from_bytes(hashlib.blake2b(np.ascontiguousarray(image), digest_size=8).digest(), "little")


def fitted(image: Image.Image, size: int) -> np.ndarray:
    """Return an image of any mode as uint8 (size, size, 3): of an animation the first picture.

    Raises:
        ValueError: its pixels are floating-point numbers.
    """
    if image.mode == "F":
        raise ValueError("floating-point pixels have no range of grey levels of their own")
    if image.mode.startswith("I"):  # 16-bit grey levels: PIL's own conversion would clip them to white
        image = Image.fromarray((np.asarray(image, dtype=np.float64) / 257).clip(0, 255).astype(np.uint8))
    rgb = image.convert("RGB")
    return np.asarray(ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC))
