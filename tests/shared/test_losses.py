"""Losses of the shared encoder compared with sums by hand and with other libraries."""

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_squared_error
from sklearn.metrics.pairwise import paired_cosine_distances

from wsl.shared.losses.base import LOSSES, Losses, chance_of, total_loss
from wsl.training.ntxent import nt_xent


def loss(name, *arguments):
    """Compute a loss with its default settings."""
    return LOSSES[name].compute(*arguments, LOSSES[name].Settings())


ONES = torch.ones(4)


@pytest.fixture
def sides():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 6, 4, generator=generator, dtype=torch.double)


def test_mse_is_scikit_learns_over_standardised_codes(sides):
    scale = torch.tensor([0.1, 1, 10, 2], dtype=torch.double)
    expected = mean_squared_error(sides[0] / scale, sides[1] / scale)
    assert loss("mse", *sides, scale).item() == pytest.approx(expected)


def test_cosine_is_scikit_learns_distance(sides):
    assert loss("cosine", *sides, ONES).item() == pytest.approx(paired_cosine_distances(*sides.numpy()).mean())


def test_norm_compares_lengths_alone():
    projections, codes = torch.tensor([[3.0, 4.0], [0.0, 2.0]]), torch.tensor([[5.0, 0.0], [1.0, 0.0]])
    assert loss("norm", projections, codes, ONES).item() == pytest.approx(np.log(2) ** 2 / 2)


def test_a_mixture_is_the_weighted_sum(sides):
    scale = torch.full((4,), 2.0, dtype=torch.double)
    weights = {"mse": 0.5, "cosine": 2.0, "norm": 0.25}
    expected = nt_xent(*sides, 0.3, False) + sum(w * loss(name, *sides, scale) for name, w in weights.items())
    losses = Losses.model_validate({"nt_xent": {"weight": 1.0, "temperature": 0.3, "symmetric": False}, **weights})
    assert total_loss(*sides, scale, losses).item() == pytest.approx(expected.item(), rel=1e-12)


def test_nt_xent_alone_is_the_thesis_loss(sides):
    losses = Losses.model_validate({"nt_xent": 1.0})
    assert torch.equal(total_loss(*sides, torch.ones(4), losses), nt_xent(*sides, 0.5, True))


def test_chance_is_known_for_contrasts_alone():
    assert chance_of(8, Losses.model_validate({"nt_xent": 0.5})) == pytest.approx(0.5 * np.log(15))
    assert np.isnan(chance_of(8, Losses.model_validate({"nt_xent": 1, "mse": 1})))
