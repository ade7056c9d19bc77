"""Tensors in safetensors files, with what is needed to use them as JSON metadata."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from wsl.errors import DataError
from wsl.files import written_whole
from wsl.opening import opening_fault
from wsl.remaking import remedy


def write_tensors(path: str | Path, tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
    """Write tensors and ``about``, whole or not at all.

    Raises:
        DataError: a number is not finite; what reads them later would only spread it.
    """
    for name, value in tensors.items():
        if not value.isfinite().all():
            raise DataError(f"{path} would hold non-finite numbers in {name}; lower the learning rate of what makes it")
    ready = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with written_whole(path) as beside:
        save_file(ready, beside, metadata={"wsl": json.dumps(about, sort_keys=True)})


def is_safetensors(path: str | Path) -> bool:
    """Return whether a file is of safetensors, by its first bytes: the length of a JSON object, and that object."""
    with open(path, "rb") as file:
        return file.read(9)[8:] == b"{"


def read_tensors(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read back what ``write_tensors`` wrote.

    Raises:
        DataError: the file cannot be opened, is damaged, or was written by another program.
    """
    try:
        with open(path, "rb") as file:  # safetensors calls every file missing that it cannot open
            size = len(file.read(1))
    except OSError as error:
        raise DataError(opening_fault(path, error)) from error
    try:
        with safe_open(path, framework="pt") as file:
            tensors, about = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    except SafetensorError as error:
        fault = f"is damaged ({error})" if is_safetensors(path) else "is not a safetensors file"
        otherwise = "give another file, or restore it from a copy"
        raise DataError(f"{path} {fault if size else 'is empty'}; {remedy(path, otherwise)}") from error
    if "wsl" not in (about or {}):
        raise DataError(f"{path} was not written by wsl: it lacks its metadata; give a model or a fitted file of a run")
    return tensors, json.loads(about["wsl"])
