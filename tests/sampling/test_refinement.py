"""Latent refinement against the codec, finite differences and a plain training loop."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.models import LAYOUT, network_of
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.sampling.recalibration import re_estimate
from wsl.sampling.refinement import Budget, Decoder, batches, refine
from wsl.weights.codec import load_codec, read_latents
from wsl.weights.coefficients import read_coefficients
from wsl.zoo.epochs import evaluate
from wsl.zoo.network import flatten

BUDGET = Budget(steps=12, batch_size=32, learning_rate=0.1, fine_tuning_rate=1e-3)


@pytest.fixture(scope="module")
def codec(zoo, fitted, autoencoder):
    return load_codec(zoo.train, fitted, autoencoder.state)


@pytest.fixture(scope="module")
def codes(autoencoder, coefficients):
    """Codes of the training snapshots by space."""
    return {
        "latent": read_latents(autoencoder.latents["train"])[0],
        "coefficients": read_coefficients(coefficients["train"])[0],
    }


@pytest.fixture(scope="module")
def task(packed):
    return TaskImages(list(packed.values())).of_task("0/3/2")


@pytest.fixture(scope="module", params=["latent", "coefficients"])
def space(request):
    return request.param


@pytest.fixture(scope="module")
def refined(codec, codes, task, space):
    values = codes[space]
    return refine(Decoder(codec, space), values[2], values.std(axis=0), *task, BUDGET, seed=0)


def test_decoder_is_the_codecs(codec, codes, space):
    decoder = Decoder(codec, space)
    for code in codes[space][:3]:
        expected = codec.decode(code[None])[0] if space == "latent" else codec.linear.decode(code[None])[0]
        assert decoder.weights(code) == pytest.approx(expected, abs=1e-6)
        state = decoder.state(torch.from_numpy(code))
        learned = [entry for entry in LAYOUT.entries if "running" not in entry.name]
        assert list(state) == [entry.name for entry in learned]
        for entry in learned:
            assert state[entry.name].detach().numpy() == pytest.approx(
                expected[entry.columns].reshape(entry.shape), abs=1e-5
            )


def test_gradients_are_finite_differences(codec, codes, space):
    decoder, code = Decoder(codec, space), torch.from_numpy(codes[space][2])
    rng = np.random.default_rng(0)
    directions = {e.name: torch.from_numpy(rng.normal(size=e.shape)) for e in LAYOUT.entries}

    def value(code):  # linear in the decoded weights
        return sum((weights.double() * directions[name]).sum() for name, weights in decoder.state(code).items())

    moved = code.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(moved), [moved])
    for place in (0, 1, len(code) - 1):
        step = torch.zeros_like(code)
        step[place] = 0.5  # decoding is linear here, so a long step is exact
        difference = (value(code + step) - value(code - step)).item()
        assert gradient[place].item() == pytest.approx(difference, rel=1e-2, abs=1e-3)


def test_refining_lowers_the_training_loss(refined, task):
    before, after, tuned = (
        evaluate(network_of(w), *task)[0] for w in (refined.before, refined.refined, refined.fine_tuned)
    )
    assert after < before and tuned < before


def test_refined_weights_are_decoded_from_a_code(refined, codec, space):
    # Weights only change along the principal components.
    moved = refined.refined - refined.before
    entry, pca = next((e, p) for e, p in zip(LAYOUT.entries, codec.linear.parameters, strict=True) if p.mode == "pca")
    change = moved[entry.columns].astype(float)
    within = pca.components.T @ (pca.components @ change)
    assert np.linalg.norm(change) > 1e-4
    assert change == pytest.approx(within, abs=1e-5)


def test_all_have_statistics_of_the_tasks_images(refined, task):
    for weights in (refined.before, refined.refined, refined.fine_tuned):
        network = network_of(weights)
        re_estimate(network, task[0])
        assert flatten(network.state_dict(), LAYOUT)[0] == pytest.approx(weights, rel=1e-4, abs=1e-5)


def test_fine_tuning_is_a_plain_loop_over_the_same_batches(refined, task):
    images, labels = task
    network = network_of(refined.before).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for batch in batches(len(images), 32, 12, seed=0):
        optimizer.zero_grad()
        functional.cross_entropy(network(normalised(images[batch])), labels[batch]).backward()
        optimizer.step()
    re_estimate(network, images)
    assert flatten(network.state_dict(), LAYOUT)[0] == pytest.approx(refined.fine_tuned, abs=1e-5)


def test_codes_with_deviation_0_do_not_change(codec, codes, task):
    values = codes["latent"]
    refined = refine(Decoder(codec, "latent"), values[2], np.zeros(values.shape[1]), *task, BUDGET, seed=0)
    assert np.array_equal(refined.refined, refined.before) and not np.array_equal(refined.fine_tuned, refined.before)


def test_the_codec_does_not_change(codec, codes, task):
    before = {name: value.clone() for name, value in codec.encoder.state_dict().items()}
    refine(Decoder(codec, "latent"), codes["latent"][0], np.ones(8), *task, Budget(1, 8, 0.1, 0.1), seed=0)
    assert all(torch.equal(value, before[name]) for name, value in codec.encoder.state_dict().items())


def test_batches_are_full_and_take_every_image_once_per_pass():
    found = list(batches(10, 4, 5, seed=0))
    assert [len(batch) for batch in found] == [4] * 5
    for first, second in ((0, 1), (2, 3)):
        assert len(set(torch.cat([found[first], found[second]]).tolist())) == 8
    assert [len(batch) for batch in batches(3, 64, 2, seed=0)] == [3, 3]
    assert all(torch.equal(a, b) for a, b in zip(found, batches(10, 4, 5, seed=0), strict=True))
