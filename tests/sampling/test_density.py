"""Draws from densities of codes, against scikit-learn and numpy."""

import numpy as np
import pytest
from sklearn.neighbors import KernelDensity

from wsl.sampling.density import draw

CODES = np.random.default_rng(0).normal([0, 5, -3, 1, 2, 9], [1, 2, 0.5, 1, 3, 0.1], (7, 6))
NOISE = np.array([0.1, 0.2, 0.3, 0.1, 0.2, 0.3])


def test_a_density_of_whole_codes_is_scikit_learns():
    density = KernelDensity(kernel="gaussian", bandwidth=0.2).fit(CODES)
    drawn = draw(CODES, 50, 6, "kde", np.full(6, 0.2), seed=3)
    assert drawn == pytest.approx(density.sample(50, random_state=3), rel=1e-5)


def test_the_bandwidth_may_differ_between_numbers():
    density = KernelDensity(bandwidth=1.0).fit(CODES / NOISE)
    assert draw(CODES, 9, 6, "kde", NOISE, seed=1) == pytest.approx(NOISE * density.sample(9, random_state=1), rel=1e-5)


@pytest.mark.parametrize("width", [1, 2])
def test_each_block_comes_from_a_code_of_its_own(width):
    drawn = draw(CODES, 40, width, "kde", np.full(6, 1e-9), seed=0)
    distance = np.abs(drawn[:, None] - CODES).reshape(40, len(CODES), -1, width).max(axis=-1)
    assert (distance.min(axis=1) < 1e-5).all()  # every block is one of the members'
    chosen = distance.argmin(axis=1)  # (draws, blocks)
    assert (chosen != chosen[:, :1]).any(axis=1).mean() > 0.7
    assert len(np.unique(chosen)) == len(CODES)


@pytest.mark.parametrize("width", [1, 2, 6])
def test_a_gaussian_has_the_mean_and_the_covariance_of_the_codes_in_each_block(width):
    drawn = draw(CODES, 60_000, width, "gaussian", NOISE, seed=5)
    expected = np.cov(CODES.T)
    expected[np.arange(6)[:, None] // width != np.arange(6) // width] = 0  # blocks are independent
    deviations = np.sqrt(np.diag(np.cov(CODES.T)))
    assert np.abs(drawn.mean(axis=0) - CODES.mean(axis=0)).max() < 0.02 * deviations.max()
    assert np.abs((np.cov(drawn.T) - expected) / np.outer(deviations, deviations)).max() < 0.03


def test_the_gaussian_of_one_code_is_this_code():
    assert draw(CODES[:1], 3, 6, "gaussian", NOISE, seed=0) == pytest.approx(np.tile(CODES[:1], (3, 1)), rel=1e-6)
