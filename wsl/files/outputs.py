"""Checks of requested output files before any work starts."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from wsl.errors import DataError
from wsl.files.opening import check_writable

MODELS = (".safetensors", ".pt", ".pth")  # suffixes of model files, see ``wsl.sampling.model_files``


def check_outputs(paths: Iterable[str | Path], force: bool = False) -> None:
    """Refuse files that exist already, unless ``force`` is set, and paths that cannot be written.

    Raises:
        DataError: a file exists, a path is a folder or a device, or its folder is missing or not writable.
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
        remedy: another remedy, appended to the list of suffixes.

    Raises:
        DataError: the suffix is unknown or missing.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in suffixes:
        fault = f"has the suffix {suffix}" if suffix else "has no suffix"
        raise DataError(f"{path} {fault}; name a file that ends in {' or '.join(suffixes)}{remedy}")


def card_path(model: str | Path) -> Path:
    """Return the path of a model's card."""
    return Path(f"{model}.md")  # with the model's suffix: models that differ in it have different cards


def check_model(out: str | Path, force: bool = False) -> None:
    """Refuse a path for a model whose suffix is unknown, or if the model or its card cannot be written.

    Raises:
        DataError: see ``check_suffix`` and ``check_outputs``.
    """
    onnx = "; for ONNX, sample a model and run `wsl export` on it" if Path(out).suffix.lower() == ".onnx" else ""
    check_suffix(out, MODELS, onnx)
    check_outputs([out, card_path(out)], force)
