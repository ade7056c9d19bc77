"""Losses of the shared encoder against sums written out, and against what other libraries compute."""

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_squared_error
from sklearn.metrics.pairwise import paired_cosine_distances

from wsl.ntxent import nt_xent
from wsl.shared.losses import cosine_loss, mixed_loss, mse_loss, norm_loss


@pytest.fixture
def sides():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 6, 4, generator=generator, dtype=torch.double)


def test_mse_is_scikit_learns_over_standardised_codes(sides):
    scale = torch.tensor([0.1, 1, 10, 2], dtype=torch.double)
    expected = mean_squared_error(sides[0] / scale, sides[1] / scale)
    assert mse_loss(*sides, scale).item() == pytest.approx(expected)


def test_cosine_is_scikit_learns_distance(sides):
    assert cosine_loss(*sides).item() == pytest.approx(paired_cosine_distances(*sides.numpy()).mean())


def test_norm_sees_lengths_alone():
    projections, codes = torch.tensor([[3.0, 4.0], [0.0, 2.0]]), torch.tensor([[5.0, 0.0], [1.0, 0.0]])
    assert norm_loss(projections, codes).item() == pytest.approx(np.log(2) ** 2 / 2)


def test_a_mixture_is_the_weighted_sum(sides):
    scale = torch.full((4,), 2.0, dtype=torch.double)
    parts = [nt_xent(*sides, 0.3, False), mse_loss(*sides, scale), cosine_loss(*sides), norm_loss(*sides)]
    weights = dict(zip(("nt_xent", "mse", "cosine", "norm"), (1.0, 0.5, 2.0, 0.25), strict=True))
    expected = 1.0 * parts[0] + 0.5 * parts[1] + 2.0 * parts[2] + 0.25 * parts[3]
    assert mixed_loss(*sides, scale, weights, 0.3, False).item() == pytest.approx(expected.item(), rel=1e-12)


def test_nt_xent_alone_is_the_thesis_loss(sides):
    weights = {"nt_xent": 1.0, "mse": 0.0, "cosine": 0.0, "norm": 0.0}
    assert torch.equal(mixed_loss(*sides, torch.ones(4), weights, 0.5, True), nt_xent(*sides, 0.5, True))
