"""Training data of samplers."""

import numpy as np
import pytest
import torch

from wsl.datasets.class_means import ClassMeans
from wsl.shared.pairs import load_pairs
from wsl.weights.codec import read_latents
from wsl.weights.coefficients import read_coefficients


@pytest.fixture
def means(class_means):
    return list(class_means.values())


def test_pairs_belong_together(autoencoder, means, bins):
    pairs = load_pairs(autoencoder.latents["train"], means, bins)
    values, snapshots = read_latents(autoencoder.latents["train"])
    assert pairs.datasets.shape == (1, 6, 3 * 8) and len(pairs) == 6
    assert np.array_equal(pairs.datasets[0], ClassMeans(means).embed(snapshots["task"]))
    assert np.array_equal(pairs.codes, values) and pairs.snapshots.equals(snapshots)
    losses, positions = snapshots["validation_loss"].to_numpy(), pairs.positions.numpy()
    assert (positions[losses.argsort()] == np.sort(positions)).all()
    assert positions[losses.argmin()] == 0 and positions[losses.argmax()] == 3
    datasets, outcomes, codes = pairs.batch(torch.tensor([4, 1]), random=True)
    assert torch.equal(datasets, pairs.datasets[0, [4, 1]]) and torch.equal(codes, pairs.codes[[4, 1]])
    assert torch.equal(outcomes, pairs.positions[[4, 1]])


def test_codes_may_be_coefficients(coefficients, means, bins):
    pairs = load_pairs(coefficients["train"], means, bins, "coefficients")
    assert np.array_equal(pairs.codes, read_coefficients(coefficients["train"])[0])


def test_counts_of_images_are_random_in_training_alone(autoencoder, means, bins):
    pairs = load_pairs(autoencoder.latents["train"], means, bins, image_counts=[1, 5, 10**6])
    tasks = pairs.snapshots["task"]
    for dataset, count in zip(pairs.datasets.numpy(), (1, 5, None), strict=True):
        assert dataset == pytest.approx(ClassMeans(means, count).embed(tasks), abs=1e-5)
    rows = torch.zeros(300, dtype=int)
    drawn = torch.stack([pairs.batch(rows, random=True)[0]] * 3)
    shares = (drawn == pairs.datasets[:, :1]).all(dim=2).float().mean(dim=1)
    assert shares.numpy() == pytest.approx(1 / 3, abs=0.1)
    first, second = (pairs.batch(torch.arange(6), random=False)[0] for _ in range(2))
    assert torch.equal(first, second)
