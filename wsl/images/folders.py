"""Read a folder of images: decoded, resized, each once."""

import hashlib
import logging
import os
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from wsl.images.contents import FORMAT_OF, FORMATS, SYSTEM_KIND, contents, described, format_by_content, remedy
from wsl.images.pixels import as_seen

log = logging.getLogger(__name__)
# Recognised by what a file holds, whatever its suffix. TGA and others have no mark: their suffix must name them.
MARKED = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF", "JPEG2000", "AVIF", "HEIF")
NAMED = 3  # files in a message


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
        """64 bits that identify each image, uint64 (n,)."""
        return np.array([_digest(image) for image in self.images], dtype=np.uint64)


@dataclass
class LeftOut:
    """Files of a class that are not used.

    Attributes:
        skipped: image files that cannot be read.
        repeated: files with the image of another file of their folder, which is the first by name.
        leaked: files to train on with a test image.
        unread: files that are not recognised as images.
        kinds: kind of each of ``unread``, see ``wsl.images.contents.Contents``.
    """

    skipped: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    def in_words(self) -> str:
        """Return in parentheses how many files are left out and why; empty: none is."""
        counts = ((self.skipped, "not readable"), (self.repeated, "repeated"), (self.leaked, "with a test image"))
        parts = [f"{len(files)} {what}" for files, what in counts if files]
        parts += [f"not recognised as images: {described(self.kinds)}"] if self.kinds else []
        return f" ({'; '.join(parts)})" if parts else ""


def read_folder(folder: Path, size: int, left_out: LeftOut, tested: Collection[int] = ()) -> Part:
    """Return a folder's images, sorted by the names of their files, each once.

    Images are the same if they are equal once packed, whatever their files' bytes: nothing after it could distinguish
    them. One warning counts and names what is left out of the folder, and another what was assumed about pixels.

    Args:
        folder: of image files.
        size: images are scaled and centre-cropped to this square, pixels.
        left_out: gets the files that are left out.
        tested: digests of test images, which are not to be trained on.

    Raises:
        DataError: there is no such folder, or it may not be read.
    """
    found = contents(folder)
    images, files, seen, tested = [], [], set(), set(tested)
    faults, repeated, leaked, assumed = {}, [], [], {}
    for path in found.images:
        try:
            packed, note = read_image(path, size)
        except ValueError as error:
            faults[path] = str(error)
            continue
        own = _digest(packed)
        if own in tested:
            leaked.append(path)
        elif own in seen:
            repeated.append(path)
        else:
            seen.add(own)
            images.append(packed)
            files.append(_name(path))
        if note:
            assumed.setdefault(note, []).append(path)
    left_out.skipped += map(_name, faults)
    left_out.repeated += map(_name, repeated)
    left_out.leaked += map(_name, leaked)
    for kind, paths in found.others.items():
        left_out.unread += map(_name, paths)
        left_out.kinds += [kind] * len(paths)
    _warn(folder, len(files), found.others, faults, repeated, leaked)
    for note, paths in assumed.items():
        log.warning("%s: %d images, %s: %s", _name(folder), len(paths), _some(paths), note)
    return Part(np.array(images, dtype=np.uint8).reshape(-1, size, size, 3), files)


def read_image(path: Path, size: int) -> tuple[np.ndarray, str | None]:
    """Return an image file as uint8 (size, size, 3), and what was assumed about it, see ``as_seen``.

    Raises:
        ValueError: it cannot be read; the message says why.
    """
    if not path.is_file():
        raise ValueError("a link that leads nowhere" if path.is_symlink() else "not a regular file")
    if not path.stat().st_size:
        raise ValueError("an empty file")
    marked, own = _decoders(), FORMAT_OF.get(path.suffix.lower())
    formats = marked if own in marked or own not in FORMATS else (*marked, own)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow: what matters of them is told by errors
            with Image.open(path, formats=formats) as image:
                image.draft("RGB", (size, size))  # lets a JPEG be decoded at a smaller scale; others ignore it
                seen, note = as_seen(image)
    except UnidentifiedImageError:
        raise ValueError(_unidentified(path)) from None
    except MemoryError:
        raise ValueError("too large for the memory of this machine") from None
    except Exception as error:  # decoders raise nearly anything on damaged files
        raise ValueError(str(error) or type(error).__name__) from error
    return _cropped(seen, size), note


def fitted(image: Image.Image, size: int) -> np.ndarray:
    """Return an image of any mode as uint8 (size, size, 3).

    Raises:
        ValueError: see ``as_seen``.
    """
    return _cropped(as_seen(image)[0], size)


def _cropped(rgb: Image.Image, size: int) -> np.ndarray:
    return np.asarray(ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC))


@cache
def _decoders() -> tuple[str, ...]:
    """Return the formats of ``MARKED`` that can be decoded here."""
    if "HEIF" in FORMATS:
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in MARKED if name in Image.OPEN)


def _unidentified(path: Path) -> str:
    """Return why Pillow does not recognise a file."""
    held, own = format_by_content(path), FORMAT_OF.get(path.suffix.lower())
    if held is None:
        return f"not a {own} image, or damaged" if own else "not an image, or damaged"
    if held not in FORMAT_OF.values():
        return f"it holds {held} and not an image"
    if held not in _decoders():
        return f"a {held} image{remedy(held)}"
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            Image.OPEN[held][0](file, str(path))
        except Exception as error:
            return f"a {held} image that Pillow cannot decode ({error})"
    return f"a {held} image that Pillow cannot decode"


def _warn(
    folder: Path,
    used: int,
    others: dict[str, list[Path]],
    faults: dict[Path, str],
    repeated: list[Path],
    leaked: list[Path],
) -> None:
    kinds = [kind for kind, paths in others.items() for _ in paths if kind != SYSTEM_KIND]
    parts = [f"{len(kinds)} not recognised as images: {described(kinds)}"] if kinds else []
    if faults:
        reasons = "; ".join(f"{_name(Path(path.name))}: {why}" for path, why in list(faults.items())[:NAMED])
        parts.append(f"{len(faults)} not readable ({reasons}{'; ...' if len(faults) > NAMED else ''})")
    for paths, what in ((repeated, "with the image of another file"), (leaked, "with a test image")):
        if paths:
            parts.append(f"{len(paths)} {what} ({_some(paths)})")
    if parts:
        log.warning("%s: %d images are used; left out: %s", _name(folder), used, "; ".join(parts))


def _some(paths: Sequence[Path]) -> str:
    return ", ".join(_name(Path(path.name)) for path in paths[:NAMED]) + (", ..." if len(paths) > NAMED else "")


def _name(path: Path) -> str:
    """Return a path as text that any file can hold: bytes that are not UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _digest(image: np.ndarray) -> int:
    return int.from_bytes(hashlib.blake2b(np.ascontiguousarray(image), digest_size=8).digest(), "little")
