"""The sampler of the thesis: projections of (D, R) (figure 3.2)."""

import numpy as np
import pytest
import torch

from wsl.datasets.class_means import ClassMeans
from wsl.outcomes.bins import read_bins
from wsl.sampling.loading import Choice, OpenRun
from wsl.shared.predictor import load_predictor
from wsl.weights.codec import load_codec, read_latents

TASKS = ["0/3/2", "2/0/3", "4/1/0"]


@pytest.fixture(scope="module")
def datasets(class_means):
    return ClassMeans(list(class_means.values())).embed(TASKS)


@pytest.fixture(scope="module")
def sampler(shared, method_files):
    samplers = {}
    for norm in ("training", "raw"):
        choice = Choice(name="projection", settings={"norm": norm}, known=[], recalibrate=False)
        with OpenRun(method_files(shared=shared.state), choice) as run:
            samplers[norm] = run.load()
    return samplers


@pytest.fixture(scope="module")
def loss_in(bins):
    """A loss in the middle of each bin, for three models."""
    return lambda number: np.full(3, read_bins(bins).centres[number])


def test_training_norm_sets_the_length_and_keeps_the_direction(sampler, datasets, loss_in, autoencoder):
    raw, scaled = (sampler[norm].codes(datasets, loss_in(1)) for norm in ("raw", "training"))
    known, _ = read_latents(autoencoder.latents["train"])
    assert np.linalg.norm(scaled, axis=1) == pytest.approx(np.linalg.norm(known, axis=1).mean(), rel=1e-5)
    cosine = (raw * scaled).sum(1) / np.linalg.norm(raw, axis=1) / np.linalg.norm(scaled, axis=1)
    assert cosine == pytest.approx(1, abs=1e-6)
    assert np.abs(raw - scaled).max() > 1e-3


def test_raw_codes_are_the_shared_encoders(sampler, datasets, loss_in, shared):
    with torch.no_grad():
        expected = load_predictor(shared.state)(torch.from_numpy(datasets), torch.tensor([2, 2, 2])).numpy()
    assert np.array_equal(sampler["raw"].codes(datasets, loss_in(2)), expected)


def test_codes_depend_on_classes_their_order_and_the_outcome(sampler, datasets, loss_in):
    codes = sampler["training"].codes(datasets, loss_in(0))
    assert all(np.abs(codes[i] - codes[j]).max() > 1e-3 for i, j in ((0, 1), (0, 2), (1, 2)))
    assert np.abs(codes - sampler["training"].codes(datasets, loss_in(3))).max() > 1e-3


def test_weights_are_decoded_latents(sampler, datasets, loss_in, zoo, fitted, autoencoder):
    codec = load_codec(zoo.train, fitted, autoencoder.state)
    expected = codec.decode(sampler["training"].codes(datasets, loss_in(0)))
    for task, weights in zip(TASKS, expected, strict=True):
        found = sampler["training"].sample(task, float(loss_in(0)[0]))
        np.testing.assert_allclose(found, weights, rtol=1e-4, atol=1e-5)
