"""An architecture in one file outside the package works in everything that depends on architectures."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import plan_row
from wsl.config.schema import load_config
from wsl.errors import DataError
from wsl.files.tensors import read_tensors, write_tensors
from wsl.images.tasks import TaskImages
from wsl.sampling.body import fit_body
from wsl.sampling.features import BodyFeatures
from wsl.sampling.model_files import model_layout
from wsl.sampling.onnx import export_onnx
from wsl.sampling.recalibration import Recalibration
from wsl.sampling.settings import BodySettings
from wsl.weights.alignment import align_part, match
from wsl.weights.encoders._token_encoder import Shape, TokenEncoder
from wsl.weights.encoders.tokens import tokens_of
from wsl.weights.symmetry import permutable, permutation_index, random_permutations
from wsl.zoo.architectures.base import Architecture, Axis
from wsl.zoo.foreign.exporting import export_zoo
from wsl.zoo.foreign.importing import import_zoo
from wsl.zoo.foreign.options import ImportOptions
from wsl.zoo.index import open_zoo, read_snapshot, write_index
from wsl.zoo.layout import layout_to_text
from wsl.zoo.member import read_member
from wsl.zoo.network import network_for, state_dict
from wsl.zoo.training import train_member

TOY = str(Path(__file__).parents[2] / "plugins" / "toy_architecture.py")
RAW = {"run": "toy", "plugins": [TOY], "zoo": {"architecture": {"name": "toy-mlp", "hidden": 5}}}


@pytest.fixture(scope="module")
def toy(packed, tmp_path_factory):
    """Three members of the toy architecture and their index."""
    folder = tmp_path_factory.mktemp("toy")
    settings = load_config(RAW).zoo.member_training()
    paths = [folder / f"{member}.h5" for member in range(3)]
    for member, path in enumerate(paths):
        train_member([packed[name] for name in "012"], path, plan_row(member), settings)
    write_index(paths, folder / "train.h5")
    return folder


def test_it_trains_and_is_indexed_with_its_name_and_settings(toy):
    member = read_member(toy / "0.h5")
    assert (member.plan["architecture"], member.plan["hidden"]) == ("toy-mlp", 5)
    assert json.loads(member.layout.architecture) == {"hidden": 5, "name": "toy-mlp"} and member.layout.image_size == 16
    assert member.layout.head == ("4.weight", "4.bias") and not member.layout.counters
    assert member.history["train_loss"].iloc[-1] < member.history["train_loss"].iloc[0]
    with open_zoo(toy / "train.h5") as zoo:
        assert zoo.layout == member.layout and zoo.members["hidden"].tolist() == [5, 5, 5]


def test_it_is_split_into_tokens_and_encoded(toy):
    layout = read_member(toy / "0.h5").layout
    tokens = tokens_of(layout, 20)
    np.testing.assert_array_equal(np.sort(tokens.places[tokens.filled]), np.arange(layout.size))
    assert set(tokens.positions[:, 1]) == {0, 1}  # two layers, each with its bias
    shape = Shape(width=8, depth=1, heads=1, window=40, halo=0)
    encoder = TokenEncoder([layout_to_text(layout)], size=20, latent=2, pooled=False, shape=shape)
    weights = torch.randn(2, layout.size)
    assert encoder.decode(encoder.encode(weights)).shape == weights.shape


def test_its_symmetries_are_found_and_its_members_aligned(toy, tmp_path):
    layout = read_member(toy / "0.h5").layout
    (axes,) = permutable(layout).values()
    assert axes == (Axis("2.weight", 0, 5), Axis("2.bias", 0, 5), Axis("4.weight", 1, 5))
    align_part(toy / "train.h5", toy / "train.h5", tmp_path / "aligned.h5", seed=0)
    with open_zoo(toy / "train.h5") as zoo, open_zoo(tmp_path / "aligned.h5") as aligned:
        images = torch.randn(4, 3, 16, 16)
        reference = read_snapshot(zoo, 0)
        for row in range(len(zoo.snapshots)):
            before, after = read_snapshot(zoo, row), read_snapshot(aligned, row)
            assert np.sort(before).tolist() == np.sort(after).tolist()
            one, other = (logits(weights, layout, images) for weights in (before, after))
            np.testing.assert_allclose(other, one, atol=1e-5)
        assert ((after - reference) ** 2).sum() <= ((before - reference) ** 2).sum()


def logits(weights, layout, images):
    network = network_for(layout).eval()
    network.load_state_dict(state_dict(weights, layout))
    with torch.no_grad():
        return network(images)


def test_without_symmetries_nothing_is_permuted_and_alignment_is_refused(toy, tmp_path, monkeypatch):
    layout = read_member(toy / "0.h5").layout
    monkeypatch.setattr(Architecture, "channel_groups", lambda self, layout: {})
    layout = layout._replace(counters=("another", "layout"))  # groups of each layout are kept
    places = permutation_index(layout, random_permutations(layout, np.random.default_rng(0)))
    assert np.array_equal(places, np.arange(layout.size))
    with pytest.raises(DataError, match=r"the architecture toy-mlp has no permutation symmetry.*set weights.align"):
        match(np.zeros(layout.size), np.zeros(layout.size), layout)


def test_it_is_exported_and_read_back(toy, tmp_path):
    assert export_zoo([toy / "train.h5"], tmp_path / "theirs").members == 3
    done = import_zoo(tmp_path / "theirs", tmp_path / "ours", ImportOptions(shares=(1, 0, 0)))
    assert done.recognised["architecture"] == "toy-mlp" and done.recognised["hidden"] == 5
    before, after = read_member(toy / "1.h5"), read_member(tmp_path / "ours" / "members" / "00001.h5")
    assert after.layout == before.layout and np.array_equal(after.weights, before.weights)


def test_a_body_is_fitted_and_its_features_read(toy, packed, tmp_path):
    files = [packed[name] for name in "01234"]
    fit_body(toy / "train.h5", files, tmp_path / "body.safetensors", BodySettings(epochs=1))
    state, _ = read_tensors(tmp_path / "body.safetensors")
    with open_zoo(toy / "train.h5") as zoo:
        layout = zoo.layout
    assert state["4.weight"].shape == (3, 5) and not state["4.weight"].any()
    features = BodyFeatures(state, layout, TaskImages(files)).of_task("0/1/2", 4)
    assert [values.shape for values in features] == [(4, 5)] * 3


def test_recalibration_does_not_change_networks_without_running_statistics(toy):
    with open_zoo(toy / "train.h5") as zoo:
        weights, layout = read_snapshot(zoo, 0), zoo.layout
    images = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8)
    recalibrated = Recalibration(layout, images, strength=0.0)(weights, images)
    assert np.array_equal(recalibrated, weights)


def test_a_model_is_rebuilt_from_its_file_and_becomes_onnx(toy, tmp_path, caplog):
    onnxruntime = pytest.importorskip("onnxruntime")
    member = read_member(toy / "0.h5")
    state = state_dict(member.weights[-1], member.layout)
    about = {"architecture": json.loads(member.layout.architecture), "classes": ["a", "b", "c"], "size": 16}
    write_tensors(tmp_path / "model.safetensors", state, about)
    assert model_layout("model", state, about) == member.layout
    network = network_for(member.layout).eval()
    network.load_state_dict(state)
    with caplog.at_level(logging.CRITICAL):
        export_onnx(tmp_path / "model.safetensors", tmp_path / "model.onnx")
    images = torch.randn(3, 3, 16, 16)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    with torch.no_grad():
        np.testing.assert_allclose(session.run(None, {"images": images.numpy()})[0], network(images), atol=1e-5)
