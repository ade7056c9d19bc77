"""Encoding by outputs brings the outputs of decoded models closer to those of their originals."""

import numpy as np
import pytest
import torch

from tests.weights.conftest import LAYOUT
from wsl.images.inputs import normalised
from wsl.weights.answers import search_latent
from wsl.weights.behaviour import Behaviour
from wsl.weights.coefficients import LinearCodec
from wsl.weights.encoders._autoencoder import PcaEncoder
from wsl.weights.gate import keep_components
from wsl.weights.settings import Search
from wsl.weights.snapshots import Snapshots
from wsl.zoo.network import network_for, state_dict

ROW = 1


@pytest.fixture(scope="module")
def encoder(linear):
    few = LinearCodec([keep_components(pca, np.arange(1)) for pca in linear.parameters], LAYOUT)
    return PcaEncoder(few, latent=None).eval()


@pytest.fixture
def start(encoder, weights):
    """The encoded original."""
    return encoder.encode(torch.from_numpy(weights[[ROW]])).detach()


@pytest.fixture
def search(encoder, weights, images):
    def run(units=0.3, **changes):
        settings = Search(**{"steps": 40, "learning_rate": 0.02, "features": 0.0, **changes})
        units = np.full(encoder.latent, units)
        latent = search_latent(encoder, LAYOUT, weights[ROW], units, images.of_task("0/1/2")[0], settings, seed=0)
        return torch.from_numpy(latent)[None]

    return run


def test_outputs_come_closer(encoder, start, search, zoo, images):
    latent = search(steps=80, learning_rate=0.1)
    with Snapshots(zoo.train) as snapshots:
        behaviour = Behaviour(LAYOUT, images, queries=10**6)
        before, after = (behaviour.loss(snapshots, [ROW], encoder.decode(z)).item() for z in (start, latent))
    assert after < 0.8 * before


@torch.no_grad()
def test_block_outputs_come_closer_where_they_count(encoder, weights, start, search, images):
    inputs = normalised(images.of_task("0/1/2")[0])

    def errors(latent):
        """Mean squared error of each block's output, from running the stages by hand."""
        models = []
        for vector in (weights[ROW], encoder.decode(latent)[0].numpy()):
            model = network_for(LAYOUT).train()
            model.load_state_dict(state_dict(vector, LAYOUT))
            models.append(model)
        models[0].eval()
        hidden = [model.maxpool(model.relu(model.bn1(model.conv1(inputs)))) for model in models]
        for stage in ("layer1", "layer2", "layer3", "layer4"):
            for blocks in zip(*(getattr(model, stage) for model in models), strict=True):
                hidden = [block(values) for block, values in zip(blocks, hidden, strict=True)]
                yield ((hidden[0] - hidden[1]).square().mean() / hidden[0].var()).item()

    with torch.enable_grad():
        latents = [start, *(search(steps=80, learning_rate=0.1, features=weight) for weight in (0.0, 10.0))]
    before, plain, weighted = (np.mean(list(errors(latent))) for latent in latents)
    assert weighted < 0.9 * min(before, plain)


def test_no_steps_or_no_units_leave_the_encoded_latent(start, search):
    assert search(steps=0).numpy() == pytest.approx(start.numpy())
    assert search(units=0.0, steps=2).numpy() == pytest.approx(start.numpy())


def test_the_same_seed_gives_the_same_latent(search):
    assert torch.equal(search(steps=3), search(steps=3))
