"""Draws of hyper-parameters against scipy's distributions."""

from collections import Counter

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import stats

from wsl.settings.distributions import Distribution


def drawn(written, count=4000):
    distribution = TypeAdapter(Distribution).validate_python(written)
    rng = np.random.default_rng(0)
    values = [distribution.sample(rng) for _ in range(count)]
    low, high = distribution.bounds()
    assert all(low <= value <= high for value in values)
    return values


def test_integers_reach_both_ends_equally_often():
    counts = Counter(drawn({"integers": [5, 10]}))
    assert sorted(counts) == [5, 6, 7, 8, 9, 10]
    assert stats.chisquare(list(counts.values())).pvalue > 0.001
    assert all(type(value) is int for value in counts)


def test_normal_is_clipped_and_rounded():
    values = np.array(drawn({"normal": [100, 15], "clip": [50, 150]}))
    assert values.dtype.kind == "i"
    assert values.mean() == pytest.approx(100, abs=1) and values.std() == pytest.approx(15, abs=0.6)
    # Rounded, not cut: a half is 5/3 of this deviation.
    near = np.array(drawn({"normal": [100, 0.3], "clip": [50, 150]}))
    assert (near == 100).mean() == pytest.approx(1 - 2 * stats.norm.sf(5 / 3), abs=0.02)
    # Clipped, not drawn again: values outside are moved to the ends.
    narrow = np.array(drawn({"normal": [100, 15], "clip": [90, 105]}))
    assert (narrow == 90).mean() == pytest.approx(stats.norm.cdf(90.5, 100, 15), abs=0.03)
    assert (narrow == 105).mean() == pytest.approx(stats.norm.sf(104.5, 100, 15), abs=0.03)


def test_uniform_has_the_distribution_of_scipy():
    assert stats.kstest(drawn({"uniform": [2, 5]}), stats.uniform(2, 3).cdf).pvalue > 0.001


def test_loguniform_has_the_distribution_of_scipy():
    assert stats.kstest(drawn({"loguniform": [1e-4, 1e-1]}), stats.loguniform(1e-4, 1e-1).cdf).pvalue > 0.001


def test_choice_takes_each_equally_often_and_keeps_its_type():
    counts = Counter(drawn({"choice": [16, 32, 64]}))
    assert stats.chisquare(list(counts.values())).pvalue > 0.001
    assert {type(value) for value in counts} == {int}


@pytest.mark.parametrize("value", ["adam", 32, 0.5])
def test_a_bare_value_is_always_that(value):
    distribution = TypeAdapter(Distribution).validate_python(value)
    rng = np.random.default_rng(0)
    assert {distribution.sample(rng) for _ in range(5)} == {value}
    assert type(distribution.sample(rng)) is type(value)
