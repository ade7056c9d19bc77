"""Intervals against manual calculations, scipy, brute force and a simulation of their coverage."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import r2_score

from wsl.evaluation.intervals import (
    AT_MOST_ONE,
    CORRELATION,
    POSITIVE,
    SHARE,
    UNBOUNDED,
    by_set,
    class_set,
    interval,
    over_sets,
    r_squared,
)

BOUNDS = {"share": SHARE, "correlation": CORRELATION, "positive": POSITIVE, "at most one": AT_MOST_ONE}


def test_without_bounds_it_is_scipys_t_interval():
    values = np.random.default_rng(0).normal(size=9)
    low, high = stats.t.interval(0.95, df=8, loc=values.mean(), scale=stats.sem(values))
    assert interval(values) == pytest.approx((values.mean(), low, high))


def test_a_share_has_the_interval_that_rs_survey_package_gives():
    # svyciprop(method = "logit"): logit(m) -+ t(.975, n - 1) * se / (m (1 - m)), mapped back. By hand: m = .9,
    # se = .1 / sqrt(3) = .0577350, se / .09 = .6415003, t(.975, 2) = 4.3026527, reach = 2.7601530,
    # logit(.9) = 2.1972246, so from 1 / (1 + e^.5629284) to 1 / (1 + e^-4.9573776).
    mean, low, high = interval(np.array([0.8, 0.9, 1.0]), SHARE)
    assert (mean, low, high) == pytest.approx((0.9, 0.3628698, 0.9930186), abs=1e-6)


def test_other_ranges_by_hand():
    # Cosines: (0.6 + 1) / 2 = .8 on the scale of shares, se .1 of .2; t(.975, 1) = 12.7062047; slope 1 / .16.
    reach = 12.7062047 * 0.1 / 0.16
    ends = [2 / (1 + np.exp(-(np.log(4) + sign * reach))) - 1 for sign in (-1, 1)]
    assert interval(np.array([0.4, 0.8]), CORRELATION) == pytest.approx((0.6, *ends))
    # Distances: log 2 -+ t * 1 / 2, and 1 - R² likewise.
    reach = 12.7062047 / 2
    assert interval(np.array([1.0, 3.0]), POSITIVE) == pytest.approx((2, 2 * np.exp(-reach), 2 * np.exp(reach)))
    found = interval(np.array([0.0, -2.0]), AT_MOST_ONE)
    assert found == pytest.approx((-1, 1 - 2 * np.exp(reach), 1 - 2 * np.exp(-reach)))


@pytest.mark.parametrize("bounds", [UNBOUNDED, *BOUNDS.values()], ids=str)
def test_too_few_and_equal_values(bounds):
    for values in ([], [0.25]):
        mean, low, high = interval(np.array(values), bounds)
        assert np.isnan(low) and np.isnan(high)
        assert mean == 0.25 if values else np.isnan(mean)
    assert interval(np.full(7, 1.0), bounds) == (1, 1, 1)
    assert interval(np.full(7, 0.1), bounds) == pytest.approx((0.1, 0.1, 0.1))


@pytest.mark.parametrize("kind", BOUNDS)
@given(st.data())
def test_intervals_hold_the_mean_and_stay_in_range(kind, data):
    bounds = BOUNDS[kind]
    low, high = (np.clip(bound, -100, 100) for bound in bounds)
    values = np.array(data.draw(st.lists(st.floats(low, high), min_size=2, max_size=12)))
    found = interval(values, bounds)
    assert bounds[0] <= found.low <= found.mean + 1e-9 and found.mean - 1e-9 <= found.high <= bounds[1]


def test_rounding_beyond_a_bound_is_harmless():
    found = interval(np.array([1 + 1e-15, 1.0, 1 - 1e-15]), CORRELATION)
    assert found == pytest.approx((1, 1, 1))


@pytest.mark.parametrize(("count", "plain"), [(3, 0.9), (24, 0.934)])
def test_coverage_is_nearer_to_95_percent_than_that_of_plain_intervals(count, plain):
    # Accuracies of mean .9 and deviation .09; 4,000 rounds leave an error of .4 points.
    rng, mean = np.random.default_rng(1), 0.9
    scale = mean * (1 - mean) / 0.09**2 - 1
    rounds = rng.beta(mean * scale, (1 - mean) * scale, (4000, count))
    covered = {
        bounds: np.mean([low <= mean <= high for _, low, high in (interval(values, bounds) for values in rounds)])
        for bounds in (SHARE, UNBOUNDED)
    }
    assert covered[SHARE] == pytest.approx(0.944, abs=0.012)
    assert covered[UNBOUNDED] == pytest.approx(plain, abs=0.012)
    assert covered[SHARE] > covered[UNBOUNDED]


def test_a_set_of_classes_is_the_same_in_every_order():
    assert class_set("b/a/c") == class_set("c/b/a") != class_set("a/b/d")


TABLE = pd.DataFrame(
    [
        # Two members on one set of classes, the first with two draws: .5, then .7, so .6 for the set.
        {"member": 1, "task": "a/b", "draw": 0, "accuracy": 0.4},
        {"member": 1, "task": "a/b", "draw": 1, "accuracy": 0.6},
        {"member": 2, "task": "b/a", "draw": 0, "accuracy": 0.7},
        {"member": 3, "task": "a/c", "draw": 0, "accuracy": 0.8},
        {"member": 4, "task": "b/c", "draw": 0, "accuracy": None},
    ]
)


def test_draws_are_averaged_first_then_tasks_of_one_set():
    assert by_set(TABLE.dropna(), "accuracy")["accuracy"].to_dict() == pytest.approx({"a/b": 0.6, "a/c": 0.8})
    found = over_sets(TABLE, "accuracy", "accuracy")
    expected = interval(np.array([0.6, 0.8]), SHARE)
    assert (found.pop("unit"), found["tasks"], found["sets"]) == ("sets of classes", 3, 2)
    assert list(found.values())[:3] == pytest.approx([0.7, expected.low, expected.high])


def test_repeating_tasks_in_other_orders_narrows_no_interval():
    rng = np.random.default_rng(0)
    tasks = ["a/b", "a/c", "b/c", "a/d"]
    once = pd.DataFrame({"member": range(4), "task": tasks, "accuracy": rng.uniform(0.5, 0.9, 4)})
    again = once.assign(member=once["member"] + 4, task=[task[::-1] for task in tasks])
    single, repeated = over_sets(once, "accuracy"), over_sets(pd.concat([once, again]), "accuracy")
    assert repeated == pytest.approx({**single, "tasks": 8})


def test_over_members_each_is_a_value_of_its_own():
    found = over_sets(TABLE, "accuracy", unit="members")
    expected = interval(np.array([0.5, 0.7, 0.8]), SHARE)  # member 1 has two draws
    assert [found[key] for key in ("mean", "low", "high")] == pytest.approx(list(expected))
    assert (found["tasks"], found["sets"], found["unit"]) == (3, 2, "members")


def test_an_interval_over_members_of_one_task_is_near_that_of_the_bootstrap():
    values = np.random.default_rng(0).beta(30, 20, 180)  # accuracies far from 0 and 1
    table = pd.DataFrame({"member": range(180), "task": "a/b", "accuracy": values})
    found = over_sets(table, "accuracy", unit="members")
    bounds = stats.bootstrap((values,), np.mean, rng=np.random.default_rng(1)).confidence_interval
    assert (found["low"], found["high"]) == pytest.approx(tuple(bounds), abs=0.002)
    assert np.isnan(over_sets(table, "accuracy")["low"])  # one set of classes


def test_without_values_the_interval_is_nan():
    found = over_sets(TABLE.assign(accuracy=np.nan), "accuracy")
    assert np.isnan([found["mean"], found["low"], found["high"]]).all() and (found["tasks"], found["sets"]) == (0, 0)


def test_r_squared_is_scikit_learns_and_its_interval_covers():
    rng = np.random.default_rng(0)
    sets = np.repeat(np.arange(30), 4)

    def draw():
        """Predictions whose errors are shared within sets; by its variances R² tends to 1 - .5 / 2 = .75."""
        truth = rng.normal(size=30)[sets] + rng.normal(size=120)
        return truth, truth + 0.5 * rng.normal(size=30)[sets] + 0.5 * rng.normal(size=120)

    truth, predicted = draw()
    found = r_squared(truth, predicted, sets)
    assert found.mean == pytest.approx(r2_score(truth, predicted))
    assert found.low < found.mean < found.high < 1
    # If snapshots were independent, the interval would be narrower.
    alone = r_squared(truth, predicted, range(120))
    assert alone.high - alone.low < found.high - found.low
    rounds = [r_squared(*draw(), sets) for _ in range(1000)]
    assert np.mean([low <= 0.75 <= high for _, low, high in rounds]) > 0.9
    single = r_squared(truth, predicted, [0] * 120)
    assert single.mean == found.mean and np.isnan(single.low)
    assert np.isnan(r_squared(np.ones(4), np.zeros(4), range(4)).mean)
