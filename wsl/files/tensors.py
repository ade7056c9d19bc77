"""Tensors in safetensors files, with the settings needed to use them as JSON metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsl.errors import DataError
from wsl.files.atomic import written_whole
from wsl.files.opening import opening_fault, remedy

if TYPE_CHECKING:
    import torch

LONGEST_HEADER = 100_000_000  # bytes that safetensors itself allows


def write_tensors(path: str | Path, tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
    """Write tensors by name and their description (JSON types), atomically.

    Raises:
        DataError: a value is not finite, which would spread to everything computed from the file.
    """
    for name, value in tensors.items():
        if not value.isfinite().all():
            raise DataError(
                f"{path} would contain non-finite values in {name}; lower the learning rate of its training"
            )
    ready = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with written_whole(path) as temporary:
        save_tensors(temporary, ready, about)


def save_tensors(path: str | Path, tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
    """Write contiguous tensors on the CPU; other programs read from the metadata that they are torch's."""
    from safetensors.torch import save_file

    save_file(tensors, path, metadata={"format": "pt", "wsl": json.dumps(about, sort_keys=True)})
    # The library writes the metadata in a random order, but equal content must give equal files.
    with open(path, "r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(length)
        if len(text) != length:
            raise ValueError(f"the header of {path} would change its length")
        file.seek(8)
        file.write(text)


def is_safetensors(path: str | Path) -> bool:
    """Return whether a file starts as safetensors do: with the length of a JSON object, and that object."""
    with open(path, "rb") as file:
        start = file.read(9)
    # Eight bytes of text, read as a length, would exceed the limit.
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") <= LONGEST_HEADER


def read_tensors(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the tensors and the description that ``write_tensors`` wrote.

    Raises:
        DataError: the file cannot be opened, is damaged, or was written by another program.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with open(path, "rb") as file:  # safetensors reports every file that it cannot open as missing
            empty = not file.read(1)
        with safe_open(path, framework="pt") as file:
            tensors, about = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    except OSError as error:
        raise DataError(opening_fault(path, error)) from error
    except SafetensorError as error:
        fault = f"is damaged ({error})" if is_safetensors(path) else "is not a safetensors file"
        otherwise = "give another file, or restore it from a copy"
        raise DataError(f"{path} {'is empty' if empty else fault}; {remedy(path, otherwise)}") from error
    if "wsl" not in (about or {}):
        raise DataError(f"{path} was not written by wsl: it lacks its metadata; give a model or a fitted file of a run")
    return tensors, json.loads(about["wsl"])
