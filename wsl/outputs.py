"""Files that a user asked to be written: refused before any work starts where they cannot or must not be written."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from wsl.errors import DataError

MODELS = (".safetensors", ".pt", ".pth")  # suffixes of files of models, see ``wsl.sampling.model_files``


def check_outputs(paths: Iterable[str | Path], force: bool = False) -> None:
    """Refuse files that exist already, and places that cannot be written.

    Args:
        paths: of the files to write.
        force: whether existing files may be replaced.

    Raises:
        DataError: a file exists and ``force`` is not set, a path is a folder or a device, or its folder is missing or
            cannot be written.
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
        try:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            raise DataError(
                f"{path} cannot be written ({error.strerror}); make its folder writable, or name another place"
            ) from error


def check_suffix(path: str | Path, suffixes: Sequence[str], remedy: str) -> None:
    """Refuse a file whose suffix names another format than those that can be written.

    Args:
        path: of the file.
        suffixes: that are known, in lower case and with their dots.
        remedy: what to do, after the list of suffixes.

    Raises:
        DataError: the suffix is another, or missing.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in suffixes:
        known = " or ".join(suffixes)
        named = f"has the suffix {suffix}" if suffix else "has no suffix"
        raise DataError(f"{path} {named}; name a file that ends in {known}{remedy}")


def card_path(model: str | Path) -> Path:
    """Return where a model's card lies: the model's whole name with ``.md`` appended.

    No model may have the suffix ``.md``, so a card is never another model's file, nor another model's card.
    """
    return Path(f"{model}.md")


def check_model(out: str | Path, force: bool = False) -> None:
    """Refuse a file for a model whose suffix is not a model's, or that, or whose card, cannot or must not be written.

    Args:
        out: path of the model.
        force: whether existing files may be replaced.

    Raises:
        DataError: see ``check_suffix`` and ``check_outputs``.
    """
    onnx = "; for ONNX, sample a model and run `wsl export` on it" if Path(out).suffix.lower() == ".onnx" else ""
    check_suffix(out, MODELS, onnx)
    check_outputs([out, card_path(out)], force)
