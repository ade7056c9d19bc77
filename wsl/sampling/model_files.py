"""Model files: a state dict with torchvision's names and metadata, in the format of the suffix."""

import io
import json
from collections import OrderedDict
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch

from wsl.errors import DataError
from wsl.files.atomic import written_whole
from wsl.files.tensors import read_tensors, write_tensors
from wsl.images.reading import USUAL, Normalisation
from wsl.zoo.layout import Layout
from wsl.zoo.recognition import architecture_from, recognise

KEY = "wsl"  # of the metadata


def write_model(path: str | Path, state: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
    """Write a model atomically.

    Args:
        path: ``.safetensors``, or ``.pt`` or ``.pth`` for ``torch.save``; ``torch.load(path, weights_only=True)`` reads
            the latter two.
        state: state dict.
        about: metadata; torch's files hold it as JSON in the state dict's ``_metadata``, under ``wsl``.

    Raises:
        DataError: a number is not finite, or the file cannot be written.
    """
    if Path(path).suffix.lower() == ".safetensors":
        write_tensors(path, state, about)
        return
    for name, value in state.items():
        if not value.isfinite().all():
            raise DataError(f"{path} would hold non-finite numbers in {name}; ask for another outcome")
    ready = OrderedDict((name, value.detach().cpu().clone()) for name, value in state.items())
    # `load_state_dict` ignores unknown names in `_metadata`.
    ready._metadata = OrderedDict({KEY: json.dumps(about, sort_keys=True)})
    archive = io.BytesIO()  # with a path, torch would write the file's name into it
    torch.save(ready, archive)
    with written_whole(path) as unfinished:
        unfinished.write_bytes(archive.getbuffer())


def model_layout(path: str | Path, state: dict[str, torch.Tensor], about: dict[str, Any]) -> Layout:
    """Return the layout of a model.

    Args:
        path: of its file, for messages.
        state: its state dict.
        about: its metadata; earlier versions stored no settings of the architecture.

    Raises:
        DataError: the file holds no model.
    """
    if "size" in about and "classes" in about and isinstance(about.get("architecture"), dict):
        layout = architecture_from(about["architecture"]).layout(len(about["classes"]), about["size"])
        used = about.get("preprocessing", USUAL._asdict())
        return layout._replace(normalisation=Normalisation(tuple(used["mean"]), tuple(used["std"])))
    recognised = recognise({name: tuple(value.shape) for name, value in state.items() if value.is_floating_point()})
    if recognised is None or "size" not in about:
        raise DataError(f"{path} holds no model; give one of `wsl sample`, or one in a run's sampling/models")
    return recognised.layout


def read_model(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the state dict and the metadata of a file from ``write_model``, without executing code in the file.

    Raises:
        DataError: the file is damaged, or was not written by ``write_model``.
    """
    if not is_zipfile(path):
        return read_tensors(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file can raise anything
        # Torch's message would recommend executing the file's content.
        raise DataError(f"{path} is damaged, or holds more than tensors ({type(error).__name__})") from error
    about = getattr(state, "_metadata", {}).get(KEY)
    if not isinstance(about, str):
        raise DataError(f"{path} was not written by wsl: it lacks metadata; give a model of `wsl sample`")
    return dict(state), json.loads(about)
