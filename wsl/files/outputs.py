"""Checks of the files that a user asked for, before any work starts."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from wsl.errors import DataError
from wsl.files.opening import check_writable

MODELS = (".safetensors", ".pt", ".pth")  # suffixes of model files, see ``wsl.sampling.model_files``


def check_outputs(paths: Iterable[str | Path], force: bool = False) -> None:
    """Refuse files that exist already, and paths that cannot be written.

    Args:
        paths: files to write.
        force: whether existing files may be replaced.

    Raises:
        DataError: a file exists and ``force`` is not set, a path is a folder or a device, or its folder is missing or
            not writable.
    """
    for path in map(Path, paths):
        if path.is_dir():
            raise DataError(f"{path} is a folder; name a file in it")
        if not path.parent.is_dir():
            raise DataError(f"{path} cannot be written: there is no folder {path.parent}; create it, or name another")
        if os.path.lexists(path):
            if path.exists() and not path.is_file():
                raise DataError(f"{path} is not a regular file; name another file")
            if not force:
                raise DataError(f"{path} exists already; name another file, or replace this one with --force")
        check_writable(path)


def check_suffix(path: str | Path, suffixes: Sequence[str], remedy: str) -> None:
    """Refuse a file whose suffix names a format that cannot be written.

    Args:
        path: the file.
        suffixes: known suffixes, in lower case and with their dots.
        remedy: what else to do, appended to the list of suffixes.

    Raises:
        DataError: the suffix is unknown or missing.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in suffixes:
        known = " or ".join(suffixes)
        reason = f"has the suffix {suffix}" if suffix else "has no suffix"
        raise DataError(f"{path} {reason}; name a file that ends in {known}{remedy}")


def card_path(model: str | Path) -> Path:
    """Return the path of a model's card: the model's whole name with ``.md`` appended.

    A model cannot have the suffix ``.md``, so a card never has the name of another model or of its card.
    """
    return Path(f"{model}.md")


def check_model(out: str | Path, force: bool = False) -> None:
    """Refuse a path for a model whose suffix is unknown, or if the model or its card cannot be written.

    Args:
        out: path of the model.
        force: whether existing files may be replaced.

    Raises:
        DataError: see ``check_suffix`` and ``check_outputs``.
    """
    onnx = "; for ONNX, sample a model and run `wsl export` on it" if Path(out).suffix.lower() == ".onnx" else ""
    check_suffix(out, MODELS, onnx)
    check_outputs([out, card_path(out)], force)
