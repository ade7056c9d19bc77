"""The user's cache: small files that only save time, so that any fault with them is ignored."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from wsl.errors import DataError
from wsl.files.atomic import written_whole

Value = TypeVar("Value")


def cache_file(kind: str, name: str) -> Path:
    """Return the path of a file in the user's cache.

    Args:
        kind: folder of the file, for example ``layouts``.
        name: of the file, which contains a digest of all that its content depends on.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "wsl" / kind / name


def read_cached(path: Path, parse: Callable[[str], Value]) -> Value | None:
    """Return what ``parse`` makes of a cached text, or None if it is absent or unreadable."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # of another shape, or damaged
        return None


def write_cached(path: Path, text: str) -> None:
    """Write a text to the cache, unless its folder cannot be written."""
    try:
        with written_whole(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except (OSError, DataError):
        pass  # the next start computes it again
