"""Export a sampled model as ONNX, for use without torch."""

import json
import logging
from pathlib import Path

import torch

from wsl.errors import DataError
from wsl.files.atomic import written_whole
from wsl.files.outputs import MODELS, check_outputs, check_suffix
from wsl.files.packages import install_hint
from wsl.sampling.model_files import model_layout, read_model
from wsl.zoo.network import network_for


def onnx_path(model: str | Path) -> Path:
    """Return a model's path with the suffix ``.onnx``, which replaces the suffix of a model file."""
    model = Path(model)
    return model.with_suffix(".onnx") if model.suffix.lower() in MODELS else Path(f"{model}.onnx")


def export_onnx(model: str | Path, out: str | Path, force: bool = False) -> None:
    """Write a model as ONNX: normalised ``images`` (n, 3, size, size) to ``logits`` (n, classes).

    The model's metadata are stored as JSON under ``wsl``.

    Args:
        model: its file, see ``wsl.sampling.model_files``.
        out: ONNX file.
        force: replace an existing file.

    Raises:
        DataError: the file is not a model, ``out`` exists or cannot be written, or packages for ONNX are missing.
    """
    check_suffix(out, [".onnx"], "")
    if Path(out).exists() and Path(out).samefile(model):
        raise DataError(f"{out} is the model itself; name another file")
    check_outputs([out], force)
    state, about = read_model(model)
    network = network_for(model_layout(model, state, about)).eval()
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise DataError(
            f"{model} does not hold the weights of its architecture ({network.architecture}); export a model of wsl"
        ) from error
    example = torch.zeros(2, 3, about["size"], about["size"])
    for package in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(package).setLevel(logging.ERROR)
    try:
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
            dynamo=True,
            verbose=False,
        )
    except ImportError as error:
        raise DataError(f"ONNX needs packages that are not installed ({error}); {install_hint('onnx')}") from error
    program.model.metadata_props["wsl"] = json.dumps(about, sort_keys=True)
    with written_whole(out) as unfinished:
        program.save(unfinished, external_data=False)
