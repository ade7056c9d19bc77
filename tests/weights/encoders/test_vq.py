"""The encoder `vq`: codes and their weights, the use of the codebook, and its fit."""

import numpy as np
import pandas as pd
import pytest
import torch

from tests.networks import resnet18_layout
from tests.weights.conftest import LAYOUT
from wsl.errors import ConfigError
from wsl.weights.encoders import vq
from wsl.weights.encoders._vq import VqEncoder, counts_of, use_of
from wsl.weights.encoders._vq_training import Quantised, shares_of
from wsl.weights.encoders.tokens import chunks_of, tokens_of
from wsl.weights.encoders.vq import Vq
from wsl.weights.fitted import load_encoder, load_states
from wsl.zoo.layout import layout_to_text

SMALL = {"size": 64, "codes": 2, "entries": 24, "dim": 4, "width": 16, "depth": 1}
RECIPE = {"learning_rate": 0.003, "batch_size": 6, "epochs": 3, "keep": "last"}


@pytest.fixture(scope="module")
def fitted_vq(train_encoder):
    return train_encoder({"name": "vq", **SMALL, **RECIPE, "epochs": 15})


def untrained(cut="channels"):
    torch.manual_seed(0)
    module = VqEncoder(layout_to_text(LAYOUT), cut, **SMALL).eval()
    module.codebook.normal_()
    return module


@pytest.mark.parametrize(("cut", "cutting"), [("channels", tokens_of), ("flat", chunks_of)])
def test_latents_are_the_entries_nearest_to_each_chunk(weights, cut, cutting):
    module, weights = untrained(cut), torch.from_numpy(weights)
    assert module.tokens == 2 * len(cutting(LAYOUT, 64).places) and module.latent == 4 * module.tokens
    with torch.no_grad():
        vectors, codes, latents = module.vectors(weights), module.codes(weights), module.encode(weights)
        expected = [
            [min(range(24), key=lambda entry: (vector - module.codebook[entry]).norm()) for vector in network]
            for network in vectors[:2, :9]
        ]
        assert codes[:2, :9].tolist() == expected and codes.dtype == torch.int64
        assert torch.equal(latents.view(6, -1, 4), module.codebook[codes])
        assert torch.equal(module.decode(latents), module.from_codes(codes))
        assert torch.equal(module.nearest(module.token_latents(weights)), codes)
        # Probes read the mean over chunks of both of their entries side by side.
        chunks = latents.view(6, -1, 2, 4)
        assert torch.allclose(module.features(latents)["token-mean"], chunks.mean(1).flatten(1))
        alone = torch.cat([module.codes(vector[None]) for vector in weights])
        assert torch.equal(alone, codes)  # codes do not depend on the other networks of a batch


def test_chunks_of_flat_weights_are_cut_in_their_order():
    cut = chunks_of(LAYOUT, 100)
    assert cut.places.shape == (-(-LAYOUT.size // 100), 100)
    assert cut.places[cut.filled].tolist() == list(range(LAYOUT.size))


def test_the_use_of_a_codebook_by_hand():
    # Two codes per network, four networks: the first code is always entry 2, the second one is uniform over 0 and 1.
    use = use_of(counts_of(torch.tensor([[2, 0], [2, 1], [2, 0], [2, 1]]), entries=5))
    # Frequencies 1/4, 1/4, 1/2 have an entropy of 1.5 bits; that of the codes is 0 and 1 bit.
    assert use == pytest.approx({"codes_used": 3, "perplexity": 2**1.5, "perplexity_per_code": 2**0.5})


@pytest.mark.parametrize(("balance", "power"), [(0, 1), (1, 0), (0.5, 0.5)])
def test_named_parameters_weigh_by_a_power_of_their_size(balance, power):
    shares, sizes = shares_of(LAYOUT, balance), np.array([entry.size for entry in LAYOUT.entries])
    sums = np.array([shares[entry.columns].sum() for entry in LAYOUT.entries])
    np.testing.assert_allclose(sums, sizes**power / (sizes**power).sum(), rtol=1e-4)


def test_the_fit_lowers_the_error_and_uses_the_codebook(fitted_vq, weights):
    file, history, states = fitted_vq
    module, weights = load_encoder(file, None), torch.from_numpy(weights)
    first = load_states(states, None)[1]

    def error(encoder):
        with torch.no_grad():
            decoded = encoder.decode(encoder.encode(weights))
        return ((decoded - weights) / encoder.sequence.scale).square().mean().item()

    assert error(module) < 0.9 * error(first)
    table = pd.read_csv(history)
    use = module.facts(module.encode(weights))
    assert 8 < use["codes_used"] <= 24 and use["perplexity_per_code"] > 1.1
    for part in ("train", "validation"):
        assert table[f"{part}_perplexity"].between(1, table[f"{part}_codes_used"]).all()
        assert (table[f"{part}_perplexity_per_code"] <= (6 if part == "train" else 2)).all()


@pytest.mark.parametrize(("restart", "restarted"), [(0.0, False), (0.1, True)])
def test_entries_that_are_not_used_restart(weights, restart, restarted):
    weights = torch.from_numpy(weights)
    module = Quantised(untrained(), Vq(**SMALL, restart=restart), chunks=100, steps=10)
    module(weights)  # k-means
    codebook = module.quantiser._codebook
    codebook.cluster_size[0, :5], codebook.embed[0, :5], codebook.embed_avg[0, :5] = 0, 1e6, 1e6  # not used
    module(weights)
    assert (module.quantiser.codebook[:5].abs().amax(1) < 100).all() == restarted
    module.finish()
    assert torch.equal(module.encoder.codebook, module.quantiser.codebook)


@pytest.mark.parametrize("change", [{"quantiser": "gumbel"}, {"behaviour": 1.0}, {"cut": "flat"}])
def test_every_option_changes_the_fit_and_repeats_to_the_byte(train_encoder, packed, change):
    settings = {"name": "vq", **SMALL, "entries": 8, **RECIPE, "epochs": 1}
    given, files = {**settings, **change}, {"packed": list(packed.values())}
    one, two, plain = (train_encoder(each, **files)[0] for each in (given, given, settings))
    assert one.read_bytes() == two.read_bytes()
    ours, others = (load_encoder(path, None).network.state_dict() for path in (one, plain))
    assert any(ours[name].shape != others[name].shape or (ours[name] != others[name]).any() for name in ours)


def test_a_missing_package_is_named_before_any_job(monkeypatch):
    monkeypatch.setattr(vq, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"vector-quantize-pytorch.*pip install 'weight-space-learning\[methods\]'"):
        Vq().check(resnet18_layout(2, 3))
