"""The noise of the encoder `noise` has the size that NumPy measures."""

import numpy as np
import pytest
import torch

from tests.weights.conftest import LAYOUT
from wsl.weights.fitted import load_encoder


@pytest.fixture
def encoder(train_encoder, linear):
    return load_encoder(train_encoder({"name": "noise", "strength": 0.25})[0], linear)


def test_noise_is_relative_to_each_parameter_of_each_network(encoder, held_out):
    networks = np.stack([held_out[0], 100 * held_out[0]])
    noisy = encoder.decode(encoder.encode(torch.from_numpy(networks))).numpy()
    for weights, changed in zip(networks, noisy, strict=True):
        ratios = []
        for entry in LAYOUT.entries:
            noise, own = changed[entry.columns] - weights[entry.columns], weights[entry.columns]
            if entry.running:
                assert not noise.any()
            elif own.any():
                ratios += (noise / np.sqrt(np.square(own).mean())).tolist()
        assert np.std(ratios) == pytest.approx(0.25, rel=0.05) and abs(np.mean(ratios)) < 0.02


def test_every_network_has_noise_of_its_own_and_always_the_same(encoder, held_out):
    rows = torch.from_numpy(np.stack([held_out[0], held_out[0], 1.5 * held_out[0]]))
    noise = encoder.encode(rows) - rows
    assert torch.equal(noise[0], noise[1]) and not torch.allclose(noise[2], 1.5 * noise[0], atol=1e-4)
    assert torch.equal(encoder.encode(rows[2:])[0], encoder.encode(rows)[2])
