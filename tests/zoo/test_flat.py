"""A network over one flat vector gives the outputs of a loaded state dict, and writes statistics into the vector."""

import numpy as np
import pytest
import torch

from tests.networks import resnet18_layout
from wsl.sampling.recalibration import re_estimate
from wsl.zoo.network import FlatNetwork, flatten, network_for, state_dict

LAYOUT = resnet18_layout(4, 3)


@pytest.fixture
def models():
    rng = np.random.default_rng(0)
    start, _ = flatten(network_for(LAYOUT).state_dict(), LAYOUT)
    return [start + np.abs(rng.normal(0, 0.05, LAYOUT.size)).astype(np.float32) for _ in range(2)]


def by_name(weights):
    network = network_for(LAYOUT).eval()
    network.load_state_dict(state_dict(weights, LAYOUT))
    return network


def test_its_outputs_are_those_of_each_model_in_turn(models):
    flat, inputs = FlatNetwork(LAYOUT), torch.randn(5, 3, 16, 16)
    with torch.no_grad():
        for weights in (*models, models[0]):
            assert torch.equal(flat.load(weights)(inputs), by_name(weights)(inputs))


def test_new_statistics_are_written_into_its_vector(models):
    images = torch.randint(0, 256, (20, 3, 16, 16), dtype=torch.uint8)
    flat, other = FlatNetwork(LAYOUT), by_name(models[0])
    re_estimate(flat.load(models[0]), images)
    re_estimate(other, images)
    expected, _ = flatten(other.state_dict(), LAYOUT)
    assert np.array_equal(flat.weights.numpy(), expected)
    assert not np.array_equal(expected, models[0])


def test_the_loaded_vector_is_not_changed(models):
    flat, kept = FlatNetwork(LAYOUT), models[0].copy()
    re_estimate(flat.load(models[0]), torch.randint(0, 256, (20, 3, 16, 16), dtype=torch.uint8))
    assert np.array_equal(models[0], kept)
