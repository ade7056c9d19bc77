"""State dicts that others saved, read so that nothing a file says is run."""

from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import safetensors.torch
import torch

from wsl.errors import DataError

WRAPPERS = ("model_state_dict", "model_state", "state_dict", "model")  # keys under which training scripts keep weights


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict of tensors alone, on the CPU: safetensors by its suffix, else an archive of ``torch.save``.

    Raises:
        DataError: the file is damaged, holds anything but tensors, or was written by a torch before version 1.6, whose
            format is a bare pickle.
    """
    content = _safetensors(path) if path.suffix == ".safetensors" else _archive(path)
    while isinstance(content, dict) and (inner := next(filter(content.__contains__, WRAPPERS), None)):
        if not isinstance(content[inner], dict):
            break
        content = content[inner]
    if not isinstance(content, dict) or not content:
        raise DataError(f"{path} holds no state dict; save model.state_dict() in its place")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor) or value.is_sparse:
            raise DataError(f"{path}: {name!r} is no dense tensor by name; save model.state_dict() in its place")
    return content


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise DataError(f"{path} is no whole safetensors file ({error}); get it anew") from error


def _archive(path: Path) -> object:
    remedy = "if you trust it, load it where it was made and save its state dict as safetensors; else delete it"
    try:
        with ZipFile(path) as archive:
            names = [PurePosixPath(name) for name in archive.namelist()]
    except BadZipFile as error:
        # Before 1.6 torch wrote bare pickles, and older versions of it run some of them even where it should not.
        raise DataError(f"{path} is no archive of torch.save, or it was cut short; {remedy}") from error
    if any(name.is_absolute() or ".." in name.parts for name in names):
        raise DataError(f"{path} has entries that leave the archive; {remedy}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file raises whatever its reading met first
        # Torch's own message tells how to run what the file holds.
        raise DataError(f"{path} holds more than tensors, or is damaged ({type(error).__name__}); {remedy}") from error
