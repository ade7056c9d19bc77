"""`wsl export`: onnxruntime gives the same outputs as torch."""

import json

import numpy as np
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

from tests.networks import resnet18
from wsl.cli.main import app
from wsl.files.tensors import write_tensors


def export(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of width 3 for 4 classes, with its own statistics."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    torch.manual_seed(0)
    network = resnet18(3, 4)
    network.train()(torch.randn(8, 3, 32, 32))
    write_tensors(path, network.state_dict(), {"size": 32, "classes": [*"abcd"]})
    return path, network.eval()


def test_outputs_are_equal_for_any_number_of_images(model, tmp_path):
    path, network = model
    done = export(path, "--out", tmp_path / "model.onnx")
    assert done.exit_code == 0, done.output
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 2, 7):
        images = torch.randn(count, 3, 32, 32)
        (logits,) = session.run(["logits"], {"images": images.numpy()})
        assert logits == pytest.approx(network(images).detach().numpy(), abs=1e-5)
    about = json.loads(session.get_modelmeta().custom_metadata_map["wsl"])
    assert about == {"size": 32, "classes": [*"abcd"]}
    assert np.ptp(logits) > 0


def test_a_file_that_is_not_a_model_is_refused(tmp_path):
    write_tensors(tmp_path / "other.safetensors", {"mean": torch.zeros(2)}, {})
    done = export(tmp_path / "other.safetensors")
    assert done.exit_code == 1 and "holds no model" in " ".join(done.output.split())
    assert not (tmp_path / "other.onnx").exists()
