"""Encoders of tokens: cutting, windows and halos, training, and networks of different widths."""

import numpy as np
import pytest
import torch

from tests.networks import resnet18_layout
from tests.weights.conftest import LAYOUT
from wsl.errors import ConfigError
from wsl.weights.encoders._token_encoder import TokenEncoder, TokenSequence, Window, windows_of
from wsl.weights.encoders._token_training import standardise
from wsl.weights.encoders.base import WEIGHT_ENCODERS
from wsl.weights.encoders.tokens import latent_a_token, tokens_of
from wsl.weights.fitted import load_encoder
from wsl.weights.snapshots import Snapshots
from wsl.zoo.index import write_index
from wsl.zoo.layout import layout_to_text

SMALL = {"width": 16, "depth": 1, "heads": 2}
RECIPE = {"learning_rate": 0.003, "batch_size": 6, "epochs": 3, "keep": "last"}


@pytest.fixture
def weights(weights):
    return torch.from_numpy(weights)


@pytest.fixture
def fit(train_encoder):
    def run(kind="sane", latent=3, other_zoos=(), packed=(), **changes):
        total = latent * len(tokens_of(LAYOUT, 64).places) if kind == "sane" else latent
        windows = {} if kind == "hyper" else {"windows": 2, "window": 60, "halo": 8}
        encoder = {"name": kind, "latent": total, "size": 64, **SMALL, **windows, **RECIPE, **changes}
        return train_encoder(encoder, packed=packed, other_zoos=other_zoos)

    return run


@pytest.mark.parametrize("size", [40, 64, 151])
def test_cutting_and_joining_is_the_identity(weights, size):
    sequence = TokenSequence(LAYOUT, tokens_of(LAYOUT, size))
    sequence.mean.copy_(weights.mean(0))
    sequence.scale.fill_(0.3)
    tokens = sequence.cut(weights)
    assert tokens.shape == (6, len(tokens_of(LAYOUT, size).places), size)
    assert torch.allclose(sequence.join(tokens), weights, atol=1e-5)
    assert (tokens[:, ~sequence.filled] == 0).all()


def test_numbers_are_standardised_by_named_parameter(zoo, weights):
    sequence = TokenSequence(LAYOUT, tokens_of(LAYOUT, 64))
    with Snapshots(zoo.train) as training:
        standardise(sequence, [training])
    standard = ((weights - sequence.mean) / sequence.scale).double()
    for entry in LAYOUT.entries:
        values = standard[:, entry.columns]
        assert values.mean(0).abs().max() < 1e-3, entry.name
        assert values.pow(2).mean().item() == pytest.approx(1, rel=1e-3) or sequence.scale[entry.offset] == 1


def test_windows_keep_every_token_once_and_see_a_halo():
    """By hand, and as SANE's own code cuts 10 tokens with 2 kept per window: at an end, the other side gives more."""
    seen = [(0, 4), (1, 5), (3, 7), (5, 9), (6, 10)]
    kept = [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]
    assert windows_of(10, 4, 1) == [Window(slice(*a), slice(*b)) for a, b in zip(seen, kept, strict=True)]
    assert windows_of(3, 128, 16) == [Window(slice(0, 3), slice(0, 3))]


def encoder(pooled=False, windows=(60, 8)):
    torch.manual_seed(0)
    return TokenEncoder([layout_to_text(LAYOUT)], 64, 3, pooled, tuple(SMALL.values()), windows).eval()


def test_probes_read_all_latents_and_their_mean_over_tokens(weights):
    """The mean is that of the encoder with one latent per network, with the same weights."""
    latents = encoder().encode(weights)
    found, pooled = encoder().features(latents), encoder(pooled=True)
    assert torch.equal(found["all"], latents) and set(pooled.features(found["token-mean"])) == {"all"}
    assert torch.allclose(found["token-mean"], pooled.encode(weights), atol=1e-6)


def test_windows_are_encoded_as_sequences_of_their_own(weights):
    module = encoder(windows=(60, 8))
    sequence, network, latents = module.sequence(None), module.network, module.token_latents(weights)
    tokens, place = sequence.cut(weights), network.reading(sequence.positions)
    assert torch.allclose(network.encode(tokens[:, 36:96], place[36:96])[:, 8:52], latents[:, 44:88], atol=1e-5)
    assert torch.allclose(network.encode(tokens[:, -60:], place[-60:])[:, -1], latents[:, -1], atol=1e-5)
    whole = encoder(windows=(10**6, 0))
    assert torch.allclose(whole.token_latents(weights), whole.network.encode(tokens, place), atol=1e-5)
    assert not torch.allclose(whole.token_latents(weights), latents, atol=1e-3)


@pytest.mark.parametrize(("pooled", "tokens"), [(False, len(tokens_of(LAYOUT, 64).places)), (True, 1)])
def test_latents_are_of_tokens_or_of_the_network(weights, pooled, tokens):
    module = encoder(pooled)
    latents = module.encode(weights)
    assert (module.tokens, module.latent) == (tokens, 3 * tokens) and latents.shape == (6, 3 * tokens)
    if not pooled:  # what samplers of tokens use
        assert torch.equal(latents.view(6, module.tokens, -1), module.token_latents(weights))
        assert torch.equal(module.from_token_latents(latents.view(6, tokens, 3)), module.decode(latents))
    assert module.decode(latents).shape == weights.shape
    assert torch.allclose(module.embed(weights, LAYOUT), module.token_latents(weights).mean(1))
    alone = torch.cat([module.encode(vector[None]) for vector in weights])
    assert torch.allclose(alone, latents, atol=1e-4)  # latents do not depend on other networks of the batch


def test_too_few_numbers_for_the_tokens_are_refused():
    tokens = len(tokens_of(LAYOUT, 64).places)
    assert [latent_a_token(LAYOUT, 64, n) for n in (tokens, 2 * tokens - 1, 2 * tokens)] == [1, 1, 2]
    with pytest.raises(ConfigError, match=rf"{tokens - 1} numbers.*{tokens} tokens"):
        WEIGHT_ENCODERS["sane"](size=64, latent=tokens - 1).check(LAYOUT)


REFUSED = {
    "at most 1,024 tokens, and those of this zoo have [0-9],[0-9]{3}; choose `sane`": ("hyper", {"size": 4}),
    "halo: 8 tokens at either end leave none of a window of 16": ("contrastive", {"halo": 8, "window": 16}),
    "width: 10 is not a multiple of heads, 4": ("hyper", {"width": 10}),
}


@pytest.mark.parametrize(("message", "given"), REFUSED.items(), ids=REFUSED)
def test_sizes_that_do_not_fit_are_refused_before_any_work(message, given):
    kind, settings = given
    with pytest.raises(ConfigError, match=message):
        WEIGHT_ENCODERS[kind](**settings).check(LAYOUT)


@pytest.mark.parametrize(("kind", "epochs"), [("sane", 120), ("contrastive", 120), ("hyper", 25)])
def test_training_lowers_the_error_of_reconstruction(fit, weights, kind, epochs):
    def lost(files):
        module = load_encoder(files[0], None)
        sequence = module.sequences[0]
        with torch.no_grad():
            error = (sequence.cut(module.decode(module.encode(weights))) - sequence.cut(weights)).pow(2)
        return (error.sum() / sequence.filled.sum() / len(weights)).item()

    trained, untrained = (lost(fit(kind, latent=16, epochs=count, beta=1.0)) for count in (epochs, 1))
    assert trained < 0.8 * untrained


def test_networks_of_two_widths_are_encoded_by_one(fit, train, weights, tmp_path):
    wide = [train(tmp_path / f"{i}.h5", member=i, width=4, max_epoch=1) for i in range(2)]
    write_index(wide, tmp_path / "wide.h5")
    module = load_encoder(fit(other_zoos=[tmp_path / "wide.h5"])[0], None)
    layout = resnet18_layout(4, 3)
    with Snapshots(tmp_path / "wide.h5") as zoo:
        other = zoo.weights([0, 1])
    latents = module.token_latents(other, layout)
    assert latents.shape == (2, len(tokens_of(layout, 64).places), 3)
    assert module.from_token_latents(latents, layout).shape == other.shape
    assert module.embed(other, layout).shape == module.embed(weights, LAYOUT)[:2].shape
    with pytest.raises(ValueError, match="not trained on networks"):
        module.embed(other, resnet18_layout(8, 3))


def test_networks_of_two_stems_have_their_own_sequences():
    layouts = [resnet18_layout(2, 3, stem) for stem in (7, 3)]
    both = TokenEncoder([layout_to_text(layout) for layout in layouts], 64, 3, False, tuple(SMALL.values())).eval()
    for layout in layouts:
        torch.manual_seed(0)
        vectors = torch.randn(2, layout.size)
        assert both.embed(vectors, layout).shape == (2, 3)
        assert both.from_token_latents(both.token_latents(vectors, layout), layout).shape == vectors.shape
    assert TokenEncoder(**both.about).sequences[1].layout == layouts[1]
    with pytest.raises(ValueError, match="not trained on networks"):
        encoder().embed(vectors, layouts[1])


def test_running_variances_are_not_below_those_of_training(fit, weights):
    module = load_encoder(fit()[0], None)
    decoded = module.decode(100 * torch.randn(2, module.latent)).detach()
    for entry in LAYOUT.entries:
        if entry.name.endswith("running_var"):
            assert decoded[:, entry.columns].min() >= weights[:, entry.columns].min()


@pytest.mark.parametrize("changes", [{}, {"kind": "contrastive", "beta": 0.5, "permute": True}, {"kind": "hyper"}])
def test_same_seed_gives_the_same_bytes(fit, changes):
    assert [path.read_bytes() for path in fit(**changes)] == [path.read_bytes() for path in fit(**changes)]


def test_a_behaviour_loss_changes_the_encoder(fit, packed):
    plain, both = (fit(packed=list(packed.values()), behaviour=weight)[0] for weight in (0, 1))
    a, b = (load_encoder(path, None).network.narrow.weight for path in (plain, both))
    assert np.isfinite(b.detach().numpy()).all() and not torch.equal(a, b)
