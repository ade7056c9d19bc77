"""Views of weights, and eq. 2.8 by hand."""

import numpy as np
import pytest
import torch

from tests.networks import resnet18
from tests.weights.conftest import LAYOUT, logits
from wsl.training.ntxent import nt_xent
from wsl.weights.encoders import _token_training
from wsl.weights.encoders._token_training import ViewLoss, permuted, spoiled
from wsl.weights.encoders.base import WEIGHT_ENCODERS
from wsl.weights.encoders.tokens import tokens_of
from wsl.zoo.layout import layout_to_text
from wsl.zoo.network import flatten

TOKENS = len(tokens_of(LAYOUT, 64).places)


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


def settings(kind, **changes):
    """Settings of a small encoder without augmentation, unless ``changes`` has it."""
    windows = {} if kind == "hyper" else {"window": 60, "halo": 8, "windows": 3}
    small = {"size": 64, "width": 16, "depth": 1, "heads": 2, "noise": 0, **windows}
    return WEIGHT_ENCODERS[kind](**{"latent": 5 * TOKENS if kind == "sane" else 5, **small, **changes})


def module(kind, **changes):
    torch.manual_seed(0)
    chosen = settings(kind, **changes)
    return ViewLoss(chosen.module([layout_to_text(LAYOUT)], 64, 5), chosen, getattr(chosen, "windows", 1))


def test_noise_and_erasing_have_the_given_strength():
    tokens, rng = torch.full((50, 40, 64), 3.0), np.random.default_rng(0)
    tokens[..., 60:] = 0  # padding
    added = spoiled(tokens, settings("sane", noise=0.5, noise_kind="additive"), rng) - tokens
    assert added[..., :60].std().item() == pytest.approx(0.5, rel=0.02) and (added[..., 60:] == 0).all()
    scaled = spoiled(tokens, settings("sane", noise=0.5), rng)[..., :60] / 3 - 1
    assert scaled.std().item() == pytest.approx(0.5, rel=0.02)
    erased = spoiled(tokens, settings("sane", erase=0.25), rng)[..., :60]
    assert (erased == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert set(erased.unique().tolist()) == {0.0, 3.0}
    assert torch.equal(spoiled(tokens, settings("sane"), rng), tokens)


@pytest.mark.parametrize("kind", ["sane", "contrastive"])
@pytest.mark.parametrize("permute", [False, True])
def test_without_noise_it_is_eq_2_8(weights, kind, permute):
    """Eq. 2.8 by hand: each network's own windows, the second view permuted, errors of clean numbers only."""
    loss = module(kind, beta=0.7, permute=permute)
    network, sequence = loss.encoder.network, loss.encoder.sequences[0]
    rng = np.random.default_rng(4)
    starts = rng.integers(TOKENS - 60 + 1, size=(9, 1))[:, 0]  # three windows of 60 for each of three networks
    views = [weights, permuted(weights, LAYOUT, rng) if permute else weights]
    errors, numbers, embedded = 0.0, 0, []
    for view in views:
        tokens, means = sequence.cut(view), []
        for row in range(3):
            cuts = [slice(start, start + 60) for start in starts[3 * row : 3 * row + 3]]
            read, written = ([place[cut] for cut in cuts] for place in (
                network.reading(sequence.positions), network.writing(sequence.positions)))  # fmt: skip
            latents = [network.encode(tokens[row : row + 1, cut], at) for cut, at in zip(cuts, read, strict=True)]
            whole = torch.cat(latents, 1).mean(1)
            for cut, at, block in zip(cuts, written, latents, strict=True):
                back = network.decode(whole[:, None] if kind == "contrastive" else block, at)
                filled = sequence.filled[cut]
                errors = errors + (back[0] - tokens[row, cut])[filled].pow(2).sum()
                numbers += int(filled.sum())
            means.append(loss.project(whole))
        embedded.append(torch.cat(means))
    expected = 0.7 * errors / numbers + 0.3 * nt_xent(*embedded, _token_training.TEMPERATURE)
    assert loss(weights, LAYOUT, np.random.default_rng(4))[0].item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("kind", ["sane", "hyper"])
def test_with_beta_1_one_view_is_read(weights, kind, monkeypatch):
    loss, read = module(kind, beta=1.0, permute=True), []
    monkeypatch.setattr(_token_training, "permuted", None)  # would fail
    through = loss.encoder.through
    monkeypatch.setattr(loss.encoder, "through", lambda *given: (read.append(len(given[1])), through(*given))[1])
    loss(weights, LAYOUT, np.random.default_rng(0))[0].backward()
    assert read == [9 if kind == "sane" else 3]
    assert all(parameter.grad is None for parameter in loss.project.parameters())


@pytest.mark.parametrize("kind", ["sane", "contrastive", "hyper"])
@pytest.mark.parametrize("beta", [0.7, 1.0])
def test_a_whole_network_that_nothing_spoils_is_decoded_once(weights, kind, beta):
    whole = {"beta": beta, "permute": True, "behaviour": 1.0, **({} if kind == "hyper" else {"window": TOKENS})}
    loss = module(kind, **whole)
    _, decoded = loss(weights, LAYOUT, np.random.default_rng(0))
    assert torch.allclose(decoded, loss.encoder.decode(loss.encoder.encode(weights)), atol=1e-5)
    changes = [{"noise": 0.1}, {"erase": 0.1}, {"behaviour": 0.0}]
    for changed in changes if kind == "hyper" else [*changes, {"window": 60}]:
        assert module(kind, **whole | changed)(weights, LAYOUT, np.random.default_rng(0))[1] is None


def test_every_parameter_counts_the_same_in_the_loss_by_parameter():
    """A mean over named parameters of the mean squared error of each, whatever their sizes."""
    loss = module("hyper", beta=1.0, loss="parameter")
    sequence, rows = loss.encoder.sequences[0], torch.randn(2, LAYOUT.size)
    tokens, rng = sequence.cut(rows), np.random.default_rng(0)
    loss.encoder.through = lambda sequence, tokens, index, windows: (torch.zeros_like(tokens), None)
    errors = [rows[:, entry.columns].pow(2).mean().item() for entry in LAYOUT.entries]
    assert loss(rows, LAYOUT, rng)[0].item() == pytest.approx(np.mean(errors), rel=1e-5)
    assert tokens.shape[1] == TOKENS


@pytest.mark.parametrize("window", [TOKENS, 60])
def test_errors_relative_to_each_networks_own_parameters(weights, window):
    """A mean over networks, views and named parameters of the squared error over the mean square of that parameter."""
    loss = module("sane", beta=1 - 1e-9, permute=True, loss="relative", window=window, windows=2)
    sequence, rng = loss.encoder.sequences[0], np.random.default_rng(0)
    rows = torch.randn(2, LAYOUT.size) * torch.tensor([[1.0], [30.0]])
    shown = []
    loss.encoder.through = lambda sequence, tokens, index, windows: (
        shown.append((tokens, index)) or torch.zeros_like(tokens), torch.randn(4, 5))  # fmt: skip
    reached = loss(rows, LAYOUT, rng)[0].item()
    ((tokens, index),) = shown
    expected, numbers = 0.0, 0.0
    for place, token in enumerate(tokens):
        network = (place % (len(tokens) // 2)) // (1 if index is None else 2)
        at = slice(None) if index is None else index[place % len(index)]
        for entry in LAYOUT.entries:
            own = rows[network, entry.columns].square().mean() + 0.01
            inside = sequence.filled[at] & (sequence.places[at] >= entry.columns.start)
            inside &= sequence.places[at] < entry.columns.stop
            expected += (token[inside].square() / own).sum().item() / entry.size
            numbers += inside.sum().item() / entry.size
    assert reached == pytest.approx(expected / numbers, rel=1e-4)


def test_the_latent_of_a_whole_network_is_a_linear_map_of_all_its_tokens(weights):
    """`hyper` by hand: maps of each layer, blocks, one linear map of all tokens, and the way back."""
    encoder = module("hyper").encoder
    sequence = encoder.sequences[0]
    tokens, layers = sequence.cut(weights), sequence.positions[:, 1]
    read = torch.stack([encoder.read.maps[layer](tokens[:, place]) for place, layer in enumerate(layers)], 1)
    hidden = encoder.encoder(read + encoder.reading(sequence.positions)).flatten(1)
    latents = hidden @ encoder.narrow.weight.T + encoder.narrow.bias
    assert torch.allclose(encoder.encode(weights), latents, atol=1e-5) and latents.shape == (3, 5)
    back = encoder.decoder(encoder.widen(latents).view(3, TOKENS, 16) + encoder.writing(sequence.positions))
    back = torch.stack([encoder.write.maps[layer](back[:, place]) for place, layer in enumerate(layers)], 1)
    assert torch.allclose(encoder.decode(latents), sequence.join(back), atol=1e-5)


def test_the_same_generator_gives_the_same_views(weights):
    loss = module("contrastive", beta=0.5, windows=1, permute=True, noise=0.1)
    losses = [loss(weights, LAYOUT, np.random.default_rng(seed))[0].item() for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
