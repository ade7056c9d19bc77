"""Null arms with toy samplers that follow only D or only R, whose scores are worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsRegressor

from wsl.evaluation.control import measure_control, slope, summarise_control
from wsl.evaluation.null_arms import ARMS, other_task
from wsl.evaluation.validation import Judgement, typical_accuracies

TASKS = pd.DataFrame({"part": "test", "member": [1, 2, 3], "task": ["a/b", "c/d", "e/f"]})
REQUESTS = np.array([0.2, 0.4, 0.6, 0.8, 1.0])
RIGHT, WRONG = Judgement(0.2, 0.9), Judgement(2.0, 0.1)


class OnlyD:
    """Always the best model of the dataset that it gets."""

    recalibrate = False

    def sample(self, task, loss, images=None, seed=0):
        return task

    def judge(self, weights, task):
        return RIGHT if weights == task else WRONG


class OnlyR(OnlyD):
    """A model that reaches the requested loss on every dataset; its accuracy is 1 minus half of the loss."""

    def sample(self, task, loss, images=None, seed=0):
        return loss

    def judge(self, weights, task):
        return Judgement(weights, 1 - weights / 2)


class OnlySeed(OnlyR):
    """A model whose loss grows with the seed, whatever is asked."""

    def sample(self, task, loss, images=None, seed=0):
        return (1 + seed) / 5


def measured(toy, tasks=TASKS, requests=REQUESTS):
    """Rows of all arms of a toy sampler, which evaluates its own models."""
    rows = measure_control(toy, tasks, requests, toy, {"sampler": "toy", "draw": 0})
    return rows.assign(accuracy_asked=1 - rows["requested"] / 2)


def scores(toy):
    """The table of a toy sampler by arm."""
    return summarise_control(measured(toy)).set_index("arm")


def test_a_sampler_that_follows_only_d():
    table = scores(OnlyD())
    assert table.index.tolist() == ["asked", "d-shuffled", "r-shuffled", "r-ignored"]
    for arm in ("asked", "r-shuffled", "r-ignored"):
        # 1 - (0 + .04 + .16 + .36 + .64) / .4 for losses of .2; the accuracies asked are .9, .8 ... .5, and .9 reached.
        assert table.loc[arm, "prompt_alignment"] == pytest.approx(-2)
        assert table.loc[arm, "accuracy_alignment"] == pytest.approx(-2)
        assert table.loc[arm, ["accuracy_reached", "accuracy_asked"]].tolist() == pytest.approx([0.9, 0.7])
    # 1 - (3.24 + 2.56 + 1.96 + 1.44 + 1) / .4 for losses of 2, and 1 - (.64 + .49 + .36 + .25 + .16) / .1.
    assert table.loc["d-shuffled", "prompt_alignment"] == pytest.approx(-24.5)
    assert table.loc["d-shuffled", "accuracy_alignment"] == pytest.approx(-18)
    assert table.loc["d-shuffled", "accuracy_reached"] == pytest.approx(0.1)
    assert (table[["spearman", "accuracy_spearman", "accuracy_slope"]] == 0).all(axis=None)


def test_a_sampler_that_follows_only_r():
    table = scores(OnlyR())
    names = ["prompt_alignment", "spearman", "accuracy_alignment", "accuracy_slope", "accuracy_spearman"]
    for arm in ("asked", "d-shuffled"):
        np.testing.assert_allclose(table.loc[arm, names].astype(float), 1)
    np.testing.assert_allclose(table.loc["r-ignored", names].astype(float), 0, atol=1e-12)
    # Of a permutation with correlation r of equally spaced values, the line has the slope r, and R² is 2 r - 1.
    shuffled = table.loc["r-shuffled"]
    assert shuffled["accuracy_slope"] == pytest.approx(shuffled["spearman"])
    assert shuffled["prompt_alignment"] == pytest.approx(2 * shuffled["spearman"] - 1)
    rows = measured(OnlyR()).query("arm == 'r-shuffled'")
    assert all(sorted(own) == REQUESTS.tolist() for _, own in rows.groupby("member")["asked_loss"])
    assert rows.groupby("member")["asked_loss"].agg(tuple).nunique() > 1


def test_what_comes_from_the_seed_is_in_all_arms():
    np.testing.assert_allclose(scores(OnlySeed())["spearman"], 1)


def test_null_arms_have_some_of_the_requests_and_their_seeds():
    requests, toy = np.linspace(0, 1.9, 20), OnlySeed()
    rows = measured(toy, pd.concat([TASKS, TASKS.assign(member=[4, 5, 6])], ignore_index=True), requests)
    asked = rows[rows["arm"] == "asked"]
    assert len(asked) == 6 * 20 and len(rows) < 2.5 * len(asked)
    key = ["member", "requested"]
    losses = asked.set_index(key)["achieved"]  # 1 + seed, divided by 5
    for arm in [*ARMS][1:]:
        own = rows[rows["arm"] == arm].set_index(key)
        assert own.index.is_unique and len(own) == 6 * 8
        pd.testing.assert_series_equal(own["achieved"], losses[own.index])
        # By hand: mean (20 - 1) / 2 = 9.5, and variance (20² - 1) / 12 = 33.25 of all, 129 / 4 = 32.25 of these.
        assert own.loc[1].index.to_numpy() * 10 == pytest.approx([1, 3, 6, 8, 11, 13, 16, 18])
    ignored = rows.loc[rows["arm"] == "r-ignored", "asked_loss"]
    assert ignored.tolist() == pytest.approx([0.95] * len(ignored))


def test_the_other_task_shares_the_fewest_classes():
    tasks = pd.DataFrame({"part": ["test"] * 4 + ["unseen"], "task": ["a/b", "c/d", "a/c", "b/a", "e/f"]})
    # Of c/d, both orders of a and b are as far; a/c shares a class with all of its part; e/f is alone in its part.
    assert [other_task(tasks, row) for row in range(5)] == ["c/d", "b/a", "e/f", "c/d", "a/b"]


def test_members_of_one_task_get_different_other_tasks():
    tasks = pd.DataFrame({"part": "test", "task": ["x/y", "u/v", "x/y", "r/s", "x/y"]})
    assert [other_task(tasks, row) for row in range(5)] == ["u/v", "r/s", "r/s", "x/y", "u/v"]


def test_without_another_dataset_the_arm_is_left_out():
    tasks = pd.DataFrame({"part": ["test", "unseen"], "member": [1, 2], "task": ["a/b", "b/a"]})
    assert measured(OnlyR(), tasks)["arm"].unique().tolist() == ["asked", "r-shuffled", "r-ignored"]


def test_copies_of_a_model_are_left_out_where_members_share_tasks():
    tasks = TASKS.assign(task="a/b")
    kept = {
        toy: measure_control(toy(), tasks, REQUESTS, toy(), {"sampler": "toy"}, unit="members")
        for toy in (OnlyR, OnlySeed)
    }
    members = {toy: rows[rows["arm"] == "asked"]["member"].unique().tolist() for toy, rows in kept.items()}
    assert members == {OnlyR: [1], OnlySeed: [1, 2, 3]}
    assert measured(OnlyR(), tasks).query("arm == 'asked'")["member"].unique().tolist() == [1, 2, 3]


def test_accuracies_of_losses_are_those_of_the_nearest_snapshots():
    rng = np.random.default_rng(0)
    snapshots = pd.DataFrame({"validation_loss": rng.exponential(size=40), "validation_accuracy": rng.uniform(size=40)})
    losses = np.linspace(0, 2, 7)
    nearest = KNeighborsRegressor(7).fit(snapshots[["validation_loss"]], snapshots["validation_accuracy"])
    expected = nearest.predict(pd.DataFrame({"validation_loss": losses}))  # the root of 40, rounded up, is 7
    np.testing.assert_allclose(typical_accuracies(snapshots, losses), expected)


def test_the_slope_is_that_of_a_fitted_line():
    rng = np.random.default_rng(0)
    requested, achieved = rng.normal(size=(2, 9))
    assert slope(requested, achieved) == pytest.approx(np.polyfit(requested, achieved, 1)[0])
    assert np.isnan(slope(np.ones(9), achieved))
