"""JSON and CSV files, digests, lists of files, the user's cache, and paths that must stay inside a folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from wsl.errors import DataError
from wsl.files.atomic import written_whole
from wsl.files.opening import read_bytes, remedy

if TYPE_CHECKING:
    import pandas as pd

Value = TypeVar("Value")
Files = Sequence[str | Path] | str | Path  # files, or one file that lists them, see ``listed``


def write_json(path: str | Path, content: Any) -> None:
    """Write ``content`` as JSON, atomically."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        DataError: the file cannot be opened, or is not JSON.
    """
    content = read_bytes(path)
    try:
        return json.loads(content.decode("utf-8-sig"))
    except ValueError as error:
        action = remedy(path, "correct it, or give another file")
        raise DataError(f"{path} is not complete JSON ({error}); {action}") from error


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV without its row labels, atomically."""
    with written_whole(path) as temporary:
        table.to_csv(temporary, index=False)


def cache_file(kind: str, name: str) -> Path:
    """Return the path of a file in the user's cache, in the folder ``kind``.

    Its name contains a digest of everything that its content depends on.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "wsl" / kind / name


def read_cached(path: Path, parse: Callable[[str], Value]) -> Value | None:
    """Return a cached text parsed by ``parse``, or None if it is absent or unreadable."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # of another shape, or damaged
        return None


def write_cached(path: Path, text: str) -> None:
    """Write a text to the cache, which only saves time: errors are ignored."""
    with suppress(OSError, DataError), written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def file_digest(path: str | Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_files(files: Sequence[str | Path], out: str | Path) -> None:
    """Write a JSON list of files with their digests, so that a job can depend on one small file instead of a thousand.

    The files must be in the folder of the list or below. Snakemake compares small files by content, so a digest that
    changes reruns the jobs that depend on the list.
    """
    write_json(out, {os.path.relpath(path, Path(out).parent): file_digest(path) for path in files})


def listed(files: Files) -> list[Path]:
    """Return the paths of files, or those in a list that ``list_files`` wrote.

    Raises:
        DataError: a file of the list is missing, or lies outside the list's folder.
    """
    if not isinstance(files, str | Path):
        return [Path(path) for path in files]
    folder = Path(files).parent
    paths = [within(folder, folder / name) for name in read_json(files)]
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path} is missing; {remedy(path, f'restore it, or list the files of {files} again')}")
    return paths


def within(folder: str | Path, path: str | Path) -> Path:
    """Return a path without ``..`` after checking that it lies in a folder. Links are not followed.

    Raises:
        DataError: the path lies outside the folder.
    """
    if not Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder)):
        raise DataError(f"{path} lies outside {folder}, which must contain all its files; do not use this folder")
    return Path(os.path.normpath(path))


def file_inside(folder: Path, name: str | Path) -> Path:
    """Return the path of a file in a folder; ``name`` is its relative path.

    Raises:
        DataError: the file is missing, or its name or a link leads outside the folder.
    """
    path = folder / name
    if not any(path.resolve().is_relative_to(place) for place in _own_places(folder)):
        raise DataError(f"{path} lies outside {folder}; only files in that folder are read: copy the file into it")
    if not path.is_file():
        raise DataError(f"{path} is missing; add the file, or remove the entry that names it")
    return path


def _own_places(folder: Path) -> list[Path]:
    """Return where the files of a folder may lie: in the folder, or in the Hub's cache if the folder is part of it."""
    folder = folder.resolve()
    for above in (folder, *folder.parents):
        # In the cache all files are links to blobs, which are not in the repository's folder.
        if above.parent.name == "snapshots" and (above.parent.parent / "blobs").is_dir():
            return [folder, above.parent.parent / "blobs"]
    return [folder]
