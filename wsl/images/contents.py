"""The contents of a class folder: image files, and all other files by kind.

Functions that list a folder raise ``DataError`` if it does not exist or cannot be read.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from wsl.errors import DataError
from wsl.files.packages import install_hint

# Pillow's format for each suffix. None of these decoders calls another program, unlike that of EPS.
FORMAT_OF = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".mpo"), "JPEG"),
    **dict.fromkeys((".png", ".apng"), "PNG"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "PPM"),
    **dict.fromkeys((".bmp", ".dib"), "BMP"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    ".webp": "WEBP",
    ".gif": "GIF",
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"), "JPEG2000"),
    **dict.fromkeys((".avif", ".avifs"), "AVIF"),
    **dict.fromkeys((".heic", ".heif", ".hif", ".heics", ".heifs"), "HEIF"),
    ".ico": "ICO",
    ".pcx": "PCX",
    ".qoi": "QOI",
    ".sgi": "SGI",
    ".tga": "TGA",
}
# Formats for which a module must be installed, and the remedy where it is not.
MODULES = {
    "AVIF": ("PIL.AvifImagePlugin", "to read them: pip install 'pillow>=11.3'"),
    "HEIF": ("pillow_heif", f"to read them: {install_hint('heif')}"),
}
# Formats and suffixes that can be read here.
FORMATS = frozenset(name for name in FORMAT_OF.values() if name not in MODULES or find_spec(MODULES[name][0]))
SUFFIXES = frozenset(suffix for suffix, name in FORMAT_OF.items() if name in FORMATS)
# First bytes of files and their position: image formats, and other formats that are often found with an image's suffix.
BEGINNINGS = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (8, b"WEBP", "WEBP"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (4, b"ftypavi", "AVIF"),
    *((4, b"ftyp" + brand, "HEIF") for brand in (b"hei", b"hev", b"mif1", b"msf1")),
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "XML"),
    (0, b"<!doctype html", "HTML"),
    (0, b"<html", "HTML"),
)
# Files of operating systems and file managers: counted, but without a warning.
SYSTEM = frozenset({".ds_store", "thumbs.db", "desktop.ini", ".directory", ".localized"})
SYSTEM_KIND, HIDDEN_KIND, PLAIN_KIND = "of the system", "hidden", "without suffix"
FOLDER_KIND, BARE_KIND = "in nested folders", "nested folders without images"
NAMED = 6  # kinds in a message


@dataclass
class Contents:
    """The contents of a class folder, sorted by name."""

    images: list[Path]  # files to read
    others: dict[str, list[Path]]  # by kind: suffix or other reason not to read them; of nested folders only images


def contents(folder: Path) -> Contents:
    """Return the contents of a class folder."""
    by_kind = defaultdict(list)
    for entry in _entries(folder):
        kind, paths = _kind(entry), [Path(entry.path)]
        if kind == FOLDER_KIND:
            inside = [Path(at, name) for at, _, names in os.walk(entry.path) for name in names]
            images = [path for path in inside if path.suffix.lower() in FORMAT_OF and not path.name.startswith(".")]
            kind, paths = (kind, images) if images else (BARE_KIND, paths)
        by_kind[kind] += paths
    images = sorted(by_kind.pop(None, []))
    return Contents(images, {kind: sorted(by_kind[kind]) for kind in sorted(by_kind)})


def image_files(folder: Path) -> Iterator[Path]:
    """Yield the image files of a class folder, in no fixed order."""
    return (Path(entry.path) for entry in _entries(folder) if _kind(entry) is None)


def unread_kinds(folder: Path) -> list[str]:
    """Return the kind of each file of a class folder that is not read, except files of operating systems."""
    return [kind for kind, paths in contents(folder).others.items() if kind != SYSTEM_KIND for _ in paths]


def described(kinds: Iterable[str]) -> str:
    """Return the number of files of each kind, see ``Contents``: ``9 .heic (to read them: ...), 2 hidden``."""
    counts = Counter(kinds).most_common()
    named = [f"{count} {kind}{remedy(FORMAT_OF.get(kind))}" for kind, count in counts[:NAMED]]
    more = sum(count for _, count in counts[NAMED:])
    return ", ".join([*named, f"{more} of other kinds"] if more else named)


def format_by_content(path: Path) -> str | None:
    """Return the format of a file by its first bytes: an image format or one of ``BEGINNINGS``; None: unknown.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(32)
    for place, beginning, name in BEGINNINGS:
        start = head[place : place + len(beginning)]
        if start == beginning or (name == "HTML" and start.lower() == beginning):
            return name
    return None


def class_folders(folder: Path) -> list[str]:
    """Return the names of the class folders in a folder, sorted, without hidden folders."""
    return sorted(entry.name for entry in _entries(folder) if _is_folder(entry) and not entry.name.startswith("."))


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(
            f"the folder {folder} cannot be read ({error.strerror}); correct the path or its permissions"
        ) from error


def _kind(entry: os.DirEntry) -> str | None:
    """Return the kind of an entry of a class folder that is not read; None: it is an image file."""
    if entry.name.lower() in SYSTEM:
        return SYSTEM_KIND
    if entry.name.startswith("."):
        return HIDDEN_KIND
    if _is_folder(entry):
        return FOLDER_KIND
    suffix = Path(entry.name).suffix.lower()
    if suffix in SUFFIXES:
        return None
    if any(character.isalpha() for character in suffix):
        return suffix
    return None if _begins_as_image(Path(entry.path)) else PLAIN_KIND


def _begins_as_image(path: Path) -> bool:
    """Return whether a file with a numbered or hashed name holds an image."""
    try:
        return path.is_file() and format_by_content(path) in FORMATS
    except OSError:
        return False


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def remedy(name: str | None) -> str:
    """Return in parentheses how to make a format readable; empty if it is readable or cannot be made so."""
    return f" ({MODULES[name][1]})" if name in MODULES and name not in FORMATS else ""
