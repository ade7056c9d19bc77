"""Models as files."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torchvision.models import resnet18 as torchvision_resnet18

from tests.networks import resnet18, resnet18_layout
from wsl.files.tensors import read_tensors
from wsl.outcomes.bins import read_bins
from wsl.sampling import models as models_module
from wsl.sampling.loading import Choice, MethodFiles, OpenRun
from wsl.sampling.models import sample_models
from wsl.zoo.network import flatten

REQUESTS = [{"member": 4, "task": "0/3/2"}, {"member": 7, "task": "2/0/3"}, {"member": 9, "task": "4/1/0"}]
CHOICE = Choice(name="projection", known=[], recalibrate=False)


@pytest.mark.parametrize("outcome", ["best", 1e9])
def test_written_models_are_state_dicts_with_metadata(method_files, shared, bins, tmp_path, outcome):
    models = [tmp_path / f"{request['member']}.safetensors" for request in REQUESTS]
    inputs = method_files(shared=shared.state)
    sample_models(inputs, models, CHOICE, outcome, REQUESTS, {"width": 2})
    edges = read_bins(bins).edges
    outcome_bin = read_bins(bins).best if outcome == "best" else len(edges) - 2
    with OpenRun(inputs, CHOICE) as run:
        sampler = run.load()
        expected = [sampler.sample(request["task"], read_bins(bins).centres[outcome_bin]) for request in REQUESTS]
    for path, request, weights in zip(models, REQUESTS, expected, strict=True):
        state, about = read_tensors(path)
        resnet18(2, 3).load_state_dict(state, strict=True)
        assert flatten(state, resnet18_layout(2, 3))[0] == pytest.approx(weights, abs=1e-5)
        assert about["member"] == request["member"] and about["width"] == 2
        assert about["classes"] == request["task"].split("/")
        limits = [edges[outcome_bin], edges[outcome_bin + 1]]
        assert about["sampler"] == "projection"
        assert about["request"] == {"outcome_bin": outcome_bin, "validation_loss": pytest.approx(limits)}
        assert about["preprocessing"]["mean"] == [0.485, 0.456, 0.406]


def test_models_of_width_64_load_in_torchvision(bins, tmp_path, monkeypatch):
    layout, path = resnet18_layout(64, 3), tmp_path / "model.safetensors"
    original = torchvision_resnet18(num_classes=3)
    weights, counters = flatten(original.state_dict(), layout)
    # A fake sampler with the same network for every request, since the test is about the file.
    sampler = SimpleNamespace(sample=lambda *request, **seed: weights)
    run = SimpleNamespace(counters=np.int64(counters), layout=layout, load=lambda: sampler)
    monkeypatch.setattr(models_module, "OpenRun", lambda *given: nullcontext(run))
    sample_models(MethodFiles(None, None, None, bins), [path], CHOICE, "best", REQUESTS[:1], {})
    loaded = torchvision_resnet18(num_classes=3)
    loaded.load_state_dict(load_file(path), strict=True)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(images), original.eval()(images))
