"""A search by answers brings what is decoded closer to its original."""

import h5py
import numpy as np
import pytest
import torch

from tests.networks import resnet18_layout
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.weights.answers import search_latent
from wsl.weights.behaviour import Behaviour
from wsl.weights.coefficients import LinearCodec, load_linear
from wsl.weights.encoders._autoencoder import PcaEncoder
from wsl.weights.gate import keep_components
from wsl.weights.settings import Search
from wsl.weights.snapshots import Snapshots
from wsl.zoo.network import network_for, state_dict

LAYOUT = resnet18_layout(2, 3)
ROW = 1


@pytest.fixture(scope="module")
def encoder(fitted):
    linear = load_linear(fitted, LAYOUT)
    few = LinearCodec([keep_components(one, np.arange(1)) for one in linear.parameters], LAYOUT)
    return PcaEncoder(few, latent=None).eval()


@pytest.fixture(scope="module")
def weights(zoo):
    with h5py.File(zoo.train) as file:
        return file["weights"][ROW]


def search(encoder, weights, packed, units=None, **changes):
    images, _ = TaskImages(list(packed.values())).of_task("0/1/2")
    units = np.full(encoder.latent, 0.3) if units is None else units
    budget = Search(**{"steps": 40, "learning_rate": 0.02, "features": 0.0, **changes})
    return search_latent(encoder, LAYOUT, weights, units, images, budget, seed=0)


def test_answers_come_closer(encoder, weights, zoo, packed):
    start = encoder.encode(torch.from_numpy(weights)[None]).detach()
    found = torch.from_numpy(search(encoder, weights, packed, steps=80, learning_rate=0.1))[None]
    with Snapshots(zoo.train) as snapshots:
        behaviour = Behaviour(LAYOUT, TaskImages(list(packed.values())), queries=10**6)
        before, after = (behaviour.loss(snapshots, [ROW], encoder.decode(z)).item() for z in (start, found))
    assert after < 0.8 * before


def test_block_outputs_come_closer_where_they_count(encoder, weights, packed):
    images, _ = TaskImages(list(packed.values())).of_task("0/1/2")
    inputs = normalised(images)

    def errors(flat):
        """Mean squared error of each block's output, found by running the stages by hand."""
        models = []
        for vector in (torch.from_numpy(weights), flat):
            model = network_for(LAYOUT).train()
            model.load_state_dict(state_dict(vector.numpy(), LAYOUT))
            models.append(model)
        models[0].eval()
        hidden = [model.maxpool(model.relu(model.bn1(model.conv1(inputs)))) for model in models]
        for stage in ("layer1", "layer2", "layer3", "layer4"):
            for blocks in zip(*(getattr(model, stage) for model in models), strict=True):
                hidden = [block(one) for block, one in zip(blocks, hidden, strict=True)]
                yield ((hidden[0] - hidden[1]).square().mean() / hidden[0].var()).item()

    found = {
        weight: search(encoder, weights, packed, steps=80, learning_rate=0.1, features=weight) for weight in (0.0, 10.0)
    }
    with torch.no_grad():
        error = {key: np.mean(list(errors(encoder.decode(torch.from_numpy(z)[None])[0]))) for key, z in found.items()}
        start = np.mean(list(errors(encoder.decode(encoder.encode(torch.from_numpy(weights)[None]))[0])))
    assert error[10.0] < 0.9 * min(start, error[0.0])


def test_no_steps_or_no_units_leave_the_encoded_latent(encoder, weights, packed):
    start = encoder.encode(torch.from_numpy(weights)[None])[0].detach().numpy()
    assert search(encoder, weights, packed, steps=0) == pytest.approx(start)
    assert search(encoder, weights, packed, units=np.zeros(encoder.latent), steps=2) == pytest.approx(start)


def test_the_same_seed_finds_the_same(encoder, weights, packed):
    one, two = (search(encoder, weights, packed, steps=3) for _ in range(2))
    assert np.array_equal(one, two)
