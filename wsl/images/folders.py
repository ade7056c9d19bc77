"""Read a folder of image files: decoded, scaled, each image once."""

import logging
import os
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from wsl.images.contents import FORMAT_OF, FORMATS, SYSTEM_KIND, contents, described, format_by_content, remedy
from wsl.images.decoding import decoded, decoders
from wsl.images.parts import Collector, LeftOut, Part

log = logging.getLogger(__name__)
NAMED = 3  # files in a message


def read_folder(folder: Path, size: int, left_out: LeftOut, excluded: Collection[int] = ()) -> Part:
    """Return a folder's images, sorted by the names of their files, each once; see ``Collector``.

    One warning counts and names the files that are left out, which are added to ``left_out``, and one per assumption
    the files whose pixels need it.

    Raises:
        DataError: the folder does not exist or cannot be read.
    """
    files = contents(folder)
    collector = Collector(size, excluded)
    faults, assumed = {}, {}
    for path in files.images:
        try:
            image, note = read_image(path, size)
        except ValueError as error:
            faults[path] = str(error)
            continue
        collector.add(image, _name(path))
        if note:
            assumed.setdefault(note, []).append(_name(path))
    part = collector.part(left_out)
    left_out.skipped += map(_name, faults)
    for kind, paths in files.others.items():
        left_out.unread += map(_name, paths)
        left_out.kinds += [kind] * len(paths)
    kinds = [kind for kind, paths in files.others.items() for _ in paths if kind != SYSTEM_KIND]
    reasons = [f"{len(kinds)} not recognised as images: {described(kinds)}"] if kinds else []
    if faults:
        named = "; ".join(f"{_name(Path(path.name))}: {fault}" for path, fault in list(faults.items())[:NAMED])
        reasons.append(f"{len(faults)} not readable ({named}{'; ...' if len(faults) > NAMED else ''})")
    duplicates = {"with the image of another file": collector.repeated, "with a test image": collector.leaked}
    reasons += [f"{len(origins)} {reason} ({_some(origins)})" for reason, origins in duplicates.items() if origins]
    if reasons:
        log.warning("%s: %d images are used; left out: %s", _name(folder), len(part.files), "; ".join(reasons))
    for note, origins in assumed.items():
        log.warning("%s: %d images, %s: %s", _name(folder), len(origins), _some(origins), note)
    return part


def read_image(path: Path, size: int) -> tuple[np.ndarray, str | None]:
    """Return an image file as uint8 (size, size, 3), and what was assumed about it, see ``as_seen``.

    Raises:
        ValueError: it cannot be read; the message is the reason.
    """
    if not path.is_file():
        raise ValueError("a link that leads nowhere" if path.is_symlink() else "not a regular file")
    if not path.stat().st_size:
        raise ValueError("an empty file")
    named = FORMAT_OF.get(path.suffix.lower())
    try:
        return decoded(path, size, named if named in FORMATS and named not in decoders() else None)
    except UnidentifiedImageError:
        raise ValueError(_unidentified(path)) from None


def _unidentified(path: Path) -> str:
    """Return why Pillow does not recognise a file."""
    content, named = format_by_content(path), FORMAT_OF.get(path.suffix.lower())
    if content is None:
        return f"not a {named} image, or damaged" if named else "not an image, or damaged"
    if content not in FORMAT_OF.values():
        return f"it holds {content} and not an image"
    if content not in decoders():
        return f"a {content} image{remedy(content)}"
    reason = ""
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            Image.OPEN[content][0](file, str(path))
        except Exception as error:
            reason = f" ({error})"
    return f"a {content} image that Pillow cannot decode{reason}"


def _some(origins: Sequence[str]) -> str:
    return ", ".join(Path(origin).name for origin in origins[:NAMED]) + (", ..." if len(origins) > NAMED else "")


def _name(path: Path) -> str:
    """Return a path as text that any file can hold: bytes that are not UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
