"""Models as files."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torchvision.models import resnet18 as torchvision_resnet18

from wsl.datasets.class_means import ClassMeans
from wsl.outcomes.bins import read_bins
from wsl.sampling import models as models_module
from wsl.sampling.models import sample_models
from wsl.sampling.registry import load_sampler
from wsl.tensors import read_tensors
from wsl.weights.codec import load_codec
from wsl.zoo.layout import resnet18_layout
from wsl.zoo.network import flatten, resnet18

TASKS = ["0/3/2", "2/0/3", "4/1/0"]
PROJECTION = {"sampler": "projection", "settings": {"norm": "training"}, "seed": 0}
PLAIN = {"recalibrate": False, "strength": 0.0}


@pytest.mark.parametrize("outcome", ["best", 1e9])
def test_written_models_are_state_dicts_that_say_what_they_are(
    zoo, fitted, autoencoder, shared, class_means, packed, bins, tmp_path, outcome
):
    models = [tmp_path / f"{member}.safetensors" for member in (4, 7, 9)]
    means = list(class_means.values())
    codec = {"train_index": zoo.train, "fitted": fitted, "autoencoder": autoencoder.state}
    files = {**codec, "class_means": means, "packed": list(packed.values()), "bins": bins, "shared": shared.state}
    about = {"outcome": outcome, "about": {"width": 2}, "known": "01234"}
    sample_models([4, 7, 9], TASKS, models, **PROJECTION, **PLAIN, **about, **files)
    edges = read_bins(bins).edges
    outcome_bin = read_bins(bins).best if outcome == "best" else len(edges) - 2
    sampler = load_sampler("projection", {"norm": "training"}, means, bins, shared=shared.state)
    codes = sampler.codes(ClassMeans(means).embed(TASKS), np.full(3, read_bins(bins).centres[outcome_bin]))
    expected = load_codec(zoo.train, fitted, autoencoder.state).decode(codes)
    for path, member, task, weights in zip(models, (4, 7, 9), TASKS, expected, strict=True):
        state, about = read_tensors(path)
        resnet18(2, 3).load_state_dict(state, strict=True)
        assert flatten(state, resnet18_layout(2, 3))[0] == pytest.approx(weights, abs=1e-5)
        assert about["member"] == member and about["classes"] == task.split("/") and about["width"] == 2
        limits = [edges[outcome_bin], edges[outcome_bin + 1]]
        assert about["sampler"] == "projection"
        assert about["request"] == {"outcome_bin": outcome_bin, "validation_loss": pytest.approx(limits)}
        assert about["preprocessing"]["mean"] == [0.485, 0.456, 0.406]


def test_models_of_width_64_load_in_torchvision(bins, tmp_path, monkeypatch):
    layout, path = resnet18_layout(64, 3), tmp_path / "model.safetensors"
    original = torchvision_resnet18(num_classes=3)
    weights, counters = flatten(original.state_dict(), layout)
    # Makers of one network, whatever is asked for: what is tested is the file that comes of it.
    maker, zoo = SimpleNamespace(make=lambda *request, **seed: weights), SimpleNamespace(typical_counters=counters)
    makers = SimpleNamespace(zoo=zoo, layout=layout, bins=bins, load=lambda name: maker)
    monkeypatch.setattr(models_module, "Makers", lambda **given: nullcontext(makers))
    files = dict.fromkeys(("train_index", "class_means", "packed", "known"))
    sample_models([0], TASKS[:1], [path], **PROJECTION, **PLAIN, **files, outcome="best", about={})
    loaded = torchvision_resnet18(num_classes=3)
    loaded.load_state_dict(load_file(path), strict=True)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(images), original.eval()(images))
