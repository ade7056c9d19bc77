"""Views of weights, and eq. 2.8 by hand."""

import numpy as np
import pytest
import torch

from tests.networks import resnet18
from tests.weights.conftest import LAYOUT, logits
from wsl.training.ntxent import nt_xent
from wsl.weights.encoders import _token_training
from wsl.weights.encoders._token_encoder import Shape, TokenEncoder
from wsl.weights.encoders._token_training import ViewLoss, permuted, with_noise
from wsl.zoo.layout import layout_to_text
from wsl.zoo.network import flatten

SMALL = Shape(width=16, depth=1, heads=2, window=60, halo=8)


@pytest.fixture
def weights():
    networks = []
    for seed in range(3):
        torch.manual_seed(seed)
        networks.append(flatten(resnet18(2, 3).state_dict(), LAYOUT)[0])
    return torch.from_numpy(np.stack(networks))


def test_a_permuted_view_is_the_same_network(weights):
    views = permuted(weights, LAYOUT, np.random.default_rng(0))
    assert not torch.equal(views, weights)
    images = torch.randn(4, 3, 16, 16)
    for vector, view in zip(weights, views, strict=True):
        np.testing.assert_allclose(logits(view, images), logits(vector, images), rtol=1e-5, atol=1e-4)


@pytest.fixture
def augment(monkeypatch):
    """Sets the augmentation of views: ``augment(noise, erase)``."""

    def set_constants(noise, erase):
        monkeypatch.setattr(_token_training, "NOISE", noise)
        monkeypatch.setattr(_token_training, "ERASE", erase)

    return set_constants


def test_noise_and_erasing_have_the_given_strength(augment):
    tokens = torch.full((50, 40, 64), 3.0)
    rng = np.random.default_rng(0)
    augment(noise=0.5, erase=0)
    assert (with_noise(tokens, rng) - tokens).std().item() == pytest.approx(0.5, rel=0.02)
    augment(noise=0, erase=0.25)
    erased = with_noise(tokens, rng)
    assert (erased == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert set(erased.unique().tolist()) == {0.0, 3.0}
    augment(noise=0, erase=0)
    assert torch.equal(with_noise(tokens, rng), tokens)


def module(kind, beta, windows=10**6, permute=False):
    torch.manual_seed(0)
    encoder = TokenEncoder([layout_to_text(LAYOUT)], 64, 5, kind == "contrastive", SMALL)
    return ViewLoss(encoder, beta, windows, permute)


@pytest.mark.parametrize("kind", ["sane", "contrastive"])
def test_without_augmentation_it_is_eq_2_8(weights, kind, augment):
    augment(noise=0, erase=0)
    loss = module(kind, 0.7)
    network, sequence = loss.encoder.network, loss.encoder.sequences[0]
    tokens, positions = sequence.cut(weights), sequence.positions
    # Windows of 60 that see 8 more on either side; all windows are read, for both views.
    cuts = [slice(max(0, s - 8), min(len(positions), s + 68)) for s in range(0, len(positions), 60)]
    latents = [network.encode(tokens[:, cut], positions[cut]) for cut in cuts]
    cores = torch.cat([block[:, (8 if place else 0) :][:, :60] for place, block in enumerate(latents)], 1)  # no halos
    whole = cores.mean(1, keepdim=True)
    assert cores.shape[1] == len(positions)
    errors = []
    for cut, block in zip(cuts, latents, strict=True):
        back = network.decode(whole if kind == "contrastive" else block, positions[cut])
        errors.append((back - tokens[:, cut])[:, sequence.filled[cut]].pow(2).mean())
    embedded = loss.project(whole[:, 0])
    expected = 0.7 * torch.stack(errors).mean() + 0.3 * nt_xent(embedded, embedded, _token_training.TEMPERATURE)
    assert loss(weights, LAYOUT, np.random.default_rng(0)).item() == pytest.approx(expected.item(), rel=1e-4)


def test_with_beta_1_it_is_reconstruction_alone(weights):
    loss = module("sane", 1.0, windows=1, permute=True)
    loss(weights, LAYOUT, np.random.default_rng(0)).backward()
    assert all(parameter.grad is None for parameter in loss.project.parameters())
    assert loss.encoder.network.write.weight.grad.abs().max() > 0


def test_the_same_generator_gives_the_same_views(weights):
    loss = module("contrastive", 0.5, windows=1, permute=True)
    losses = [loss(weights, LAYOUT, np.random.default_rng(seed)).item() for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
