"""A sampled model as ONNX, for those who run models without torch."""

import json
import logging
from pathlib import Path

import torch

from wsl.errors import DataError
from wsl.files import written_whole
from wsl.tensors import read_tensors
from wsl.zoo.network import resnet18


def export_onnx(model: str | Path, out: str | Path) -> None:
    """Write a model of ``wsl sample``, or of a run, as ONNX: ``images`` (n, 3, size, size) to ``logits`` (n, classes).

    Its metadata, preprocessing and class names among them, stand under ``wsl`` as JSON. Images are normalised outside.

    Args:
        model: safetensors file.
        out: ONNX file.

    Raises:
        DataError: the file is no such model, or the packages that write ONNX are not installed.
    """
    state, about = read_tensors(model)
    if "fc.weight" not in state or "size" not in about:
        raise DataError(f"{model} holds no model; give one of `wsl sample`, or of a run's sampling/models")
    classes, features = state["fc.weight"].shape
    network = resnet18(features // 8, classes).eval()
    network.load_state_dict(state)
    example = torch.zeros(2, 3, about["size"], about["size"])
    for noisy in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
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
        raise DataError(f"ONNX needs packages that are not installed ({error}); pip install 'wsl[onnx]'") from error
    program.model.metadata_props["wsl"] = json.dumps(about, sort_keys=True)
    with written_whole(out) as beside:
        program.save(beside, external_data=False)
