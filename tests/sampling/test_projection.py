"""Conditional sampling (figure 3.2)."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torchvision.models import resnet18 as torchvision_resnet18

from wsl.datasets.class_means import ClassMeans
from wsl.outcomes.bins import read_bins
from wsl.sampling import projection
from wsl.sampling.projection import ProjectionSampler, sample_models
from wsl.shared.encoder import load_shared
from wsl.tensors import read_tensors
from wsl.weights.codec import load_codec, read_latents
from wsl.zoo.layout import resnet18_layout
from wsl.zoo.network import flatten, resnet18

TASKS = ["0/3/2", "2/0/3", "4/1/0"]


@pytest.fixture(scope="module")
def codec(zoo, fitted, autoencoder):
    return load_codec(zoo.train, fitted, autoencoder.state)


@pytest.fixture(scope="module")
def datasets(class_means):
    return ClassMeans(list(class_means.values())).embed(TASKS)


@pytest.fixture(scope="module")
def sampler(codec, shared):
    return {norm: ProjectionSampler(codec, load_shared(shared.state), norm) for norm in ("training", "raw")}


def test_training_norm_sets_the_length_and_keeps_the_direction(sampler, datasets, autoencoder):
    raw, scaled = (sampler[norm].latents(datasets, 1) for norm in ("raw", "training"))
    known, _ = read_latents(autoencoder.latents["train"])
    assert np.linalg.norm(scaled, axis=1) == pytest.approx(np.linalg.norm(known, axis=1).mean(), rel=1e-5)
    cosine = (raw * scaled).sum(1) / np.linalg.norm(raw, axis=1) / np.linalg.norm(scaled, axis=1)
    assert cosine == pytest.approx(1, abs=1e-6)
    assert np.abs(raw - scaled).max() > 1e-3


def test_raw_latents_are_the_shared_encoders(sampler, datasets, shared):
    with torch.no_grad():
        expected = load_shared(shared.state)(torch.from_numpy(datasets), torch.tensor([2, 2, 2])).numpy()
    assert np.array_equal(sampler["raw"].latents(datasets, 2), expected)


def test_samples_depend_on_classes_their_order_and_the_outcome(sampler, datasets):
    latents = sampler["training"].latents(datasets, 0)
    assert all(np.abs(latents[i] - latents[j]).max() > 1e-3 for i, j in ((0, 1), (0, 2), (1, 2)))
    assert np.abs(latents - sampler["training"].latents(datasets, 3)).max() > 1e-3


def test_samples_are_decoded_latents(sampler, datasets, codec):
    expected = codec.decode(sampler["training"].latents(datasets, 0))
    assert np.array_equal(sampler["training"].sample(datasets, 0), expected)


@pytest.mark.parametrize("outcome", ["best", 1e9])
def test_written_models_are_state_dicts_that_say_what_they_are(
    zoo, fitted, autoencoder, shared, class_means, bins, sampler, datasets, tmp_path, outcome
):
    models = [tmp_path / f"{member}.safetensors" for member in (4, 7, 9)]
    files = (zoo.train, fitted, autoencoder.state, shared.state, list(class_means.values()), bins)
    sample_models([4, 7, 9], TASKS, models, *files, outcome=outcome, norm="training", about={"width": 2})
    edges = read_bins(bins).edges
    outcome_bin = read_bins(bins).best if outcome == "best" else len(edges) - 2
    expected = sampler["training"].sample(datasets, outcome_bin)
    for path, member, task, weights in zip(models, (4, 7, 9), TASKS, expected, strict=True):
        state, about = read_tensors(path)
        resnet18(2, 3).load_state_dict(state, strict=True)
        assert np.array_equal(flatten(state, resnet18_layout(2, 3))[0], weights)
        assert about["member"] == member and about["classes"] == task.split("/") and about["width"] == 2
        limits = [edges[outcome_bin], edges[outcome_bin + 1]]
        assert about["request"] == {"outcome_bin": outcome_bin, "validation_loss": pytest.approx(limits)}
        assert about["preprocessing"]["mean"] == [0.485, 0.456, 0.406]


def test_models_of_width_64_load_in_torchvision(shared, class_means, bins, tmp_path, monkeypatch):
    layout, path = resnet18_layout(64, 3), tmp_path / "model.safetensors"
    original = torchvision_resnet18(num_classes=3)
    weights, counters = flatten(original.state_dict(), layout)
    # A codec that decodes everything to one network: what is tested is the file that comes of it.
    codec = SimpleNamespace(linear=SimpleNamespace(layout=layout), counters=counters, decode=lambda _: weights[None])
    monkeypatch.setattr(projection, "load_codec", lambda *files: codec)
    files = ("index", [], "autoencoder", shared.state, list(class_means.values()), bins)
    sample_models([0], TASKS[:1], [path], *files, outcome="best", norm="raw", about={})
    loaded = torchvision_resnet18(num_classes=3)
    loaded.load_state_dict(load_file(path), strict=True)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(images), original.eval()(images))
