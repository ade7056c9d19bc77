"""The class-order symmetry: effects of reordering on networks, PCA and coefficients."""

from itertools import permutations
from math import factorial

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from tests.weights.conftest import LAYOUT, logits
from wsl.jobs.job import Job
from wsl.weights.coefficients import encode_part, load_linear, read_coefficients
from wsl.weights.orders import class_orders, reorder_head, reorder_task
from wsl.weights.pca import ParameterPCA, fit_parameters
from wsl.weights.pca_settings import PcaSettings
from wsl.zoo.index import open_zoo

NAMES = [entry.name for entry in LAYOUT.entries]
LIMITS = PcaSettings(variance_threshold=1e-12, dimension_limit=2, components=64)
ORDERS = list(permutations(range(3)))


def reordered(weights, order):
    """Flat snapshots with the head's rows reordered one by one."""
    weights = weights.copy()
    for name in ("fc.weight", "fc.bias"):
        rows = weights[:, LAYOUT[name].columns].reshape(len(weights), 3, -1)
        moved = np.stack([rows[:, place] for place in order], axis=1)
        weights[:, LAYOUT[name].columns] = moved.reshape(len(weights), -1)
    return weights


@pytest.fixture(scope="module")
def fitted_over_orders(zoo, tmp_path_factory):
    """One PCA file per named parameter, those of the head over all six orders."""
    folder = tmp_path_factory.mktemp("orders")
    paths = [folder / f"{name}.h5" for name in NAMES]
    fit_parameters(zoo.train, paths, NAMES, LIMITS, orders=6)
    return paths


@pytest.fixture(scope="module")
def encoded(zoo, fitted_over_orders, tmp_path_factory):
    """Coefficients of all six orders and their table."""
    path = tmp_path_factory.mktemp("orders") / "train.h5"
    encode_part(zoo.train, fitted_over_orders, path, seed=0, orders=6)
    return read_coefficients(path)


@pytest.mark.parametrize(("classes", "count"), [(2, 2), (3, 6), (3, 100), (4, 24)])
def test_all_orders_are_returned_if_enough_are_requested(classes, count):
    orders = class_orders(classes, count, seed=0)
    assert orders[0] == tuple(range(classes))
    assert sorted(orders) == list(permutations(range(classes)))


# Up to seven classes all orders can be listed; of ten they cannot.
@pytest.mark.parametrize(("classes", "count"), [(3, 1), (3, 4), (5, 119), (7, 300), (8, 300), (10, 500), (1000, 3)])
def test_some_orders_are_drawn_without_repetition_after_the_given_order(classes, count):
    orders = class_orders(classes, count, seed=0)
    assert orders[0] == tuple(range(classes))
    assert len(orders) == len(set(orders)) == count
    assert all(sorted(order) == list(range(classes)) for order in orders)
    assert class_orders(classes, count, seed=0) == orders
    if count > 1:
        assert class_orders(classes, count, seed=1) != orders


@pytest.mark.parametrize("classes", [4, 9])
def test_every_class_is_drawn_to_every_place_equally_often(classes):
    drawn = np.array([class_orders(classes, 2, seed)[1] for seed in range(600)])
    fewer = factorial(classes - 1)
    for place in range(classes):
        expected = np.full(classes, fewer)
        expected[place] -= 1  # the given order is not drawn
        shares = np.bincount(drawn[:, place], minlength=classes) / 600
        assert shares == pytest.approx(expected / (classes * fewer - 1), abs=0.06)


@pytest.mark.parametrize("order", ORDERS)
def test_a_reordered_head_gives_reordered_logits(weights, order):
    images = torch.randn(8, 3, 16, 16)
    vector = weights[:1].copy()
    for name in ("fc.weight", "fc.bias"):
        vector[:, LAYOUT[name].columns] = reorder_head(vector[:, LAYOUT[name].columns], order)
    assert np.array_equal(vector, reordered(weights[:1], order))
    before, after = logits(weights[0], images), logits(vector[0], images)
    assert after == pytest.approx(before[:, list(order)], abs=1e-6)
    # The logit of each class, by its name, has not changed.
    new = reorder_task("a/b/c", order).split("/")
    for place, name in enumerate("abc"):
        assert after[:, new.index(name)] == pytest.approx(before[:, place], abs=1e-6)


@pytest.mark.parametrize("name", ("fc.weight", "fc.bias"))
def test_a_heads_pca_is_scikit_learns_over_all_orders(weights, fitted_over_orders, name):
    stacked = np.concatenate([reordered(weights, order) for order in ORDERS])[:, LAYOUT[name].columns]
    fitted = ParameterPCA.read(fitted_over_orders[NAMES.index(name)])
    theirs = PCA(svd_solver="full").fit(stacked.astype(float))
    # Reordering leaves fewer independent directions than rows; the others are rounding.
    real = int((theirs.explained_variance_ > 1e-9 * theirs.explained_variance_[0]).sum())
    assert fitted.mode == "pca" and fitted.n_coefficients == real
    assert fitted.mean == pytest.approx(theirs.mean_, abs=1e-6)
    assert fitted.variance == pytest.approx(theirs.explained_variance_[:real], rel=1e-3, abs=1e-7)
    assert fitted.total_variance == pytest.approx(theirs.explained_variance_.sum(), rel=1e-4)
    # Components of equal variance are not unique; the spaces that they span are.
    ours, expected = (rows.T @ rows for rows in (fitted.components, theirs.components_[:real]))
    assert ours == pytest.approx(expected, abs=1e-3)


def test_a_mean_head_over_all_orders_favours_no_class(fitted_over_orders):
    rows = ParameterPCA.read(fitted_over_orders[NAMES.index("fc.weight")]).mean.reshape(3, -1)
    assert rows[0] == pytest.approx(rows[1], abs=1e-6) and rows[0] == pytest.approx(rows[2], abs=1e-6)
    assert np.abs(rows).max() > 1e-3


def test_orders_change_no_parameter_of_the_body(zoo, fitted_over_orders, tmp_path):
    for number in (0, 40, 99):
        fit_parameters(zoo.train, [tmp_path / "p.h5"], [NAMES[number]], LIMITS)
        assert (tmp_path / "p.h5").read_bytes() == fitted_over_orders[number].read_bytes()


def test_coefficients_have_one_row_per_snapshot_and_order(encoded, zoo):
    values, table = encoded
    with open_zoo(zoo.train) as opened:
        snapshots = opened.snapshots
    assert len(values) == len(table) == 6 * len(snapshots)
    assert table["order"].tolist() == np.arange(6).repeat(len(snapshots)).tolist()
    for number, order in enumerate(ORDERS):
        part = table[table["order"] == number].reset_index(drop=True)
        assert part["task"].tolist() == ["/".join(task.split("/")[i] for i in order) for task in snapshots["task"]]
        assert part.drop(columns=["order", "task"]).equals(snapshots.drop(columns="task"))
    tasks = {"/".join(order) for task in snapshots["task"] for order in permutations(task.split("/"))}
    assert set(table["task"]) == tasks


def test_a_body_has_equal_coefficients_in_all_orders_and_a_head_does_not(encoded, fitted_over_orders):
    values, _ = encoded
    head = sum(ParameterPCA.read(path).n_coefficients for path in fitted_over_orders[-2:])
    by_order = values.reshape(6, -1, values.shape[1])
    assert (by_order[:, :, :-head] == by_order[:1, :, :-head]).all()
    for number in range(1, 6):
        assert np.abs(by_order[number, :, -head:] - by_order[0, :, -head:]).max(axis=1).min() > 1e-4


def test_one_order_is_the_first_of_many(zoo, fitted_over_orders, encoded, tmp_path):
    encode_part(zoo.train, fitted_over_orders, tmp_path / "one.h5", seed=0)
    values, table = read_coefficients(tmp_path / "one.h5")
    assert np.array_equal(values, encoded[0][: len(values)])
    assert table.equals(encoded[1].iloc[: len(table)])
    assert set(table["order"]) == {0}


def test_decoding_a_reordered_row_gives_the_reordered_network(encoded, fitted_over_orders, weights):
    decoded = load_linear(fitted_over_orders, LAYOUT).decode(encoded[0]).reshape(6, *weights.shape)
    for number, order in enumerate(ORDERS):
        assert np.allclose(decoded[number], reordered(weights, order), rtol=0, atol=1e-4)


def test_some_orders_are_the_same_for_pca_and_for_coefficients(zoo, fitted, weights, tmp_path):
    used = class_orders(3, 3, seed=4)
    fit_parameters(zoo.train, [tmp_path / "head.h5"], ["fc.weight"], LIMITS, orders=3, job=Job(seed=4))
    stacked = np.concatenate([reordered(weights, order) for order in used])[:, LAYOUT["fc.weight"].columns]
    assert ParameterPCA.read(tmp_path / "head.h5").mean == pytest.approx(stacked.mean(axis=0), abs=1e-6)
    paths = [*fitted[:-2], tmp_path / "head.h5", fitted[-1]]
    encode_part(zoo.train, paths, tmp_path / "train.h5", seed=4, orders=3)
    decoded = load_linear(paths, LAYOUT).decode(read_coefficients(tmp_path / "train.h5")[0])
    assert decoded[:, LAYOUT["fc.weight"].columns] == pytest.approx(stacked, abs=1e-4)
