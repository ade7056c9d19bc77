"""The generator's body: the mean of the zoo with re-estimated statistics, optionally trained."""

import h5py
import numpy as np
import pytest
import torch

from tests.networks import resnet18, resnet18_layout
from wsl.files.tensors import read_tensors
from wsl.jobs.job import Job
from wsl.sampling.body import fit_body
from wsl.sampling.settings import BodySettings
from wsl.zoo.layout import layout_to_text
from wsl.zoo.member import read_member

LAYOUT = resnet18_layout(2, 3)
RECIPE = {"learning_rate": 0.05, "augment": False}


@pytest.fixture(scope="module")
def body(zoo, packed, tmp_path_factory):
    """Returns the state dict and metadata of a body by ``body(epochs, **changes)``."""

    def fit(epochs, taught=(), **changes):
        out = tmp_path_factory.mktemp("body") / "body.safetensors"
        settings = BodySettings(epochs=epochs, **RECIPE, **changes)
        fit_body(zoo.train, [packed[name] for name in "0123"], out, settings, taught, Job(seed=3))
        return read_tensors(out)

    return fit


def test_without_training_it_is_the_mean_of_the_max_snapshots_with_a_head_of_zeros(body, zoo):
    state, about = body(0)
    mean = np.mean([read_member(path).weights[1] for path in zoo.members[:3]], axis=0)
    for entry in LAYOUT.entries:
        values = state[entry.name].numpy().ravel()
        if entry.name.startswith("fc"):
            assert values.shape == (entry.size,) and not values.any()
        elif "running" not in entry.name:
            np.testing.assert_allclose(values, mean[entry.columns], rtol=1e-5, atol=1e-6)
    assert about == {"classes": 4, "epochs": 0, "layout": layout_to_text(LAYOUT)}


def test_its_statistics_are_those_of_the_first_images_of_every_class(body, packed):
    state, _ = body(0)
    images = np.concatenate([h5py.File(packed[name])["train"][:40] for name in "0123"])
    inputs = torch.from_numpy((images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).permute(0, 3, 1, 2)
    seen = torch.nn.functional.conv2d(inputs.float(), state["conv1.weight"], stride=2, padding=3).numpy()
    np.testing.assert_allclose(state["bn1.running_mean"], seen.mean(axis=(0, 2, 3)), rtol=1e-3, atol=1e-4)
    variance = seen.swapaxes(0, 1).reshape(2, -1).var(axis=1, ddof=1)
    np.testing.assert_allclose(state["bn1.running_var"], variance, rtol=1e-3)


def test_training_is_reproducible(body):
    untrained, trained, again = body(0)[0], body(1)[0], body(1)[0]
    assert not torch.equal(trained["conv1.weight"], untrained["conv1.weight"])
    assert all(torch.equal(trained[name], again[name]) for name in trained)
    assert not trained["fc.weight"].any() and trained["fc.weight"].shape == (3, 16)


def test_a_teacher_adds_its_loss_and_leaves_no_trace_in_the_file(body, class_means):
    plain, taught = body(1)[0], body(1, teacher=1.0, taught=[class_means[name] for name in "0123"])[0]
    assert set(taught) == set(plain) and not torch.equal(taught["conv1.weight"], plain["conv1.weight"])
    resnet18(2, 3).load_state_dict(taught)
