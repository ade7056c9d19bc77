"""Ridge regression with members left out, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from tests.ridge import searched_ridge
from wsl.evaluation.ridge import PENALTIES, Standard, fit_ridge, in_row_space

RNG = np.random.default_rng(0)
MEMBERS = np.repeat(np.arange(9), [3, 1, 3, 2, 4, 1, 3, 3, 2])
OFFSETS = RNG.normal(size=9)[MEMBERS]  # snapshots of a member are alike


def data(columns):
    raw = RNG.normal(size=(len(MEMBERS), columns)) + OFFSETS[:, None]
    target = raw[:, :3] @ [1.0, -2.0, 0.5] + 5 + RNG.normal(size=len(MEMBERS)) + OFFSETS
    return Standard.of(raw)(raw), np.column_stack([target, RNG.normal(size=len(MEMBERS))])


@pytest.mark.parametrize("columns", [5, 60])  # fewer and more than rows
def test_penalties_and_predictions_are_those_of_a_search_that_leaves_members_out(columns):
    features, targets = data(columns)
    ours = fit_ridge(features, targets, MEMBERS)
    for place, target in enumerate(targets.T):
        model = searched_ridge(features, target, MEMBERS)
        assert ours.penalties[place] == model[-1].best_params_["alpha"]
        assert ours.predict(features)[:, place] == pytest.approx(model.predict(features), rel=1e-6)
    assert len(set(ours.penalties)) == 2


def test_members_of_one_row_and_a_single_member_are_leave_one_out():
    features, targets = data(5)
    for members in (np.arange(len(features)), np.zeros(len(features))):
        model = RidgeCV(PENALTIES).fit(features, targets)
        ours = fit_ridge(features, targets, members, together=True)
        assert ours.penalties.tolist() == [model.alpha_] * 2
        assert ours.predict(features) == pytest.approx(model.predict(features), rel=1e-6)


def test_coordinates_in_the_row_space_give_the_same_predictions():
    features, targets = data(60)
    held_out = RNG.normal(size=(7, 60))
    ours, theirs = in_row_space(features @ features.T, held_out @ features.T)
    assert ours.shape[1] <= len(features)
    wide, narrow = fit_ridge(features, targets, MEMBERS), fit_ridge(ours, targets, MEMBERS)
    assert narrow.predict(theirs) == pytest.approx(wide.predict(held_out), rel=1e-6)


def test_a_feature_that_is_equal_everywhere_changes_nothing():
    features, targets = data(5)
    with_constant = np.column_stack([features, np.zeros(len(features))])
    expected = fit_ridge(features, targets, MEMBERS).predict(features)
    assert fit_ridge(with_constant, targets, MEMBERS).predict(with_constant) == pytest.approx(expected, rel=1e-6)
