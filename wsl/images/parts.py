"""The images of one part of a class: each once, scaled to one size, with its origin."""

import hashlib
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from wsl.images.contents import described
from wsl.images.decoding import cropped, decoded
from wsl.images.pixels import as_seen

log = logging.getLogger(__name__)
NAMED = 3  # images in a message


@dataclass
class Part:
    """Some images of a class."""

    images: np.ndarray  # uint8 (n, size, size, 3)
    files: list[str]  # origin of each image (n,)
    digests: np.ndarray  # 64 bits that identify each image, uint64 (n,)

    def at(self, places: Sequence[int]) -> "Part":
        """Return the images at these places, in this order."""
        return Part(self.images[places], [self.files[place] for place in places], self.digests[places])


@dataclass
class LeftOut:
    """The files or images of a class that are not used."""

    skipped: list[str] = field(default_factory=list)  # image files that cannot be read
    repeated: list[str] = field(default_factory=list)  # images that equal an earlier image of their part
    leaked: list[str] = field(default_factory=list)  # images to train on that equal a test image
    unread: list[str] = field(default_factory=list)  # files that are not recognised as images
    kinds: list[str] = field(default_factory=list)  # kind of each of ``unread``, see ``wsl.images.contents.Contents``

    def in_words(self) -> str:
        """Return in parentheses how many files are left out and why; empty if none is."""
        reasons = {"not readable": self.skipped, "repeated": self.repeated, "with a test image": self.leaked}
        parts = [f"{len(files)} {reason}" for reason, files in reasons.items() if files]
        parts += [f"not recognised as images: {described(self.kinds)}"] if self.kinds else []
        return f" ({'; '.join(parts)})" if parts else ""


def digest(image: np.ndarray) -> int:
    """Return 64 bits that identify an image, uint8 (size, size, 3)."""
    return int.from_bytes(hashlib.blake2b(np.ascontiguousarray(image), digest_size=8).digest(), "little")


def changed(part: Part, images: np.ndarray) -> Part:
    """Return a part with other images, uint8 (n, size, size, 3), in place of its own."""
    if images is part.images:
        return part
    return Part(images, part.files, np.array([digest(image) for image in images], dtype=np.uint64))


class Collector:
    """Collects the images of a part, each once; they are compared after scaling, not by the bytes of their files.

    Args:
        size: side of the images, pixels.
        excluded: digests of images that must not be collected, such as test images among those to train on.
    """

    def __init__(self, size: int, excluded: Collection[int] = ()):
        self.size, self.excluded = size, set(excluded)
        self.repeated: list[str] = []
        self.leaked: list[str] = []
        self._images: list[np.ndarray] = []
        self._files: dict[int, str] = {}  # by digest

    def add(self, image: np.ndarray, origin: str) -> None:
        """Add an image, uint8 (size, size, 3), unless it is excluded or has been added before."""
        key = digest(image)
        if key in self.excluded:
            self.leaked.append(origin)
        elif key in self._files:
            self.repeated.append(origin)
        else:
            self._files[key] = origin
            self._images.append(image)

    def part(self, left_out: LeftOut) -> Part:
        """Return the collected images, and add the others to ``left_out``."""
        left_out.repeated += self.repeated
        left_out.leaked += self.leaked
        images = np.array(self._images, dtype=np.uint8).reshape(-1, self.size, self.size, 3)
        return Part(images, list(self._files.values()), np.array(list(self._files), dtype=np.uint64))


def collect(images: Iterable[Any], size: int, label: str, left_out: LeftOut, excluded: Collection[int] = ()) -> Part:
    """Return images that a source yields, see ``ImageSource.images`` and ``Collector``.

    One warning counts and names the images that cannot be read, which are added to ``left_out``.

    Args:
        images: PIL images, uint8 arrays or encoded files, each alone or in a pair of its origin and the image. An error
            in place of an image is the reason why it cannot be read.
        size: side of the images, pixels.
        label: the origin of images that come alone, followed by their number.
        left_out: receives the origins of images that are left out.
        excluded: see ``Collector``.

    Raises:
        ValueError: see ``as_seen``; not for encoded files.
    """
    collector, faults = Collector(size, excluded), {}
    for index, item in enumerate(images):
        origin, image = item if isinstance(item, tuple) else (f"{label}, {index}", item)
        if isinstance(image, bytes):
            image = _decoded(image, size)
        elif not isinstance(image, Exception):
            rgb, _ = as_seen(image if isinstance(image, Image.Image) else Image.fromarray(image))
            image = cropped(rgb, size)
        if isinstance(image, Exception):
            faults[origin] = image
        else:
            collector.add(image, origin)
    part = collector.part(left_out)
    left_out.skipped += faults
    if faults:
        named = "; ".join(f"{origin}: {fault}" for origin, fault in list(faults.items())[:NAMED])
        more = "; ..." if len(faults) > NAMED else ""
        log.warning("%s: %d images are used; not readable: %d (%s%s)", label, len(part.files), len(faults), named, more)
    return part


def _decoded(content: bytes, size: int) -> np.ndarray | Exception:
    """Return the image in an encoded file, or why it cannot be read."""
    try:
        return decoded(content, size)[0]
    except UnidentifiedImageError:
        return ValueError("not an image of a known format, or damaged" if content else "an empty file")
    except ValueError as error:
        return error
