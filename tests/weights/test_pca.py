"""Algorithm 3.1, one named parameter at a time."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from wsl.weights.pca import ParameterPCA, fit_parameters, select_mode
from wsl.weights.pca_settings import PcaSettings
from wsl.zoo.index import open_zoo, read_weights

RNG = np.random.default_rng(3)
VALUES = (RNG.normal(size=(20, 30)) * np.linspace(0.2, 2, 30) + 5).astype(np.float32)


def fit(values, name="conv1.weight", components=5, **settings):
    settings = PcaSettings(components=components, **settings)
    return ParameterPCA.fit(name, lambda part: values[:, part], values.shape, settings)


@pytest.mark.parametrize(
    ("variance", "dimension", "mode"),
    [
        (0.5, 100, "mean"),
        (0.5, 2, "mean"),  # the variance is compared first
        (1.0, 4, "centred"),  # V = threshold is not below it; D = limit is not above it
        (1.0, 5, "pca"),
        (2.0, 1, "centred"),
        (2.0, 100, "pca"),
    ],
)
def test_modes_of_algorithm_3_1(variance, dimension, mode):
    assert select_mode(variance, dimension, PcaSettings(variance_threshold=1.0, dimension_limit=4)) == mode


@pytest.mark.parametrize(("dimension", "mode"), [(4, "centred"), (5, "pca")])
def test_dimension_limit_is_inclusive(dimension, mode):
    assert fit(VALUES[:, :dimension], dimension_limit=4).mode == mode


def test_variance_at_the_threshold_is_kept():
    values = np.array([[0.0] * 6, [2.0] * 6], dtype=np.float32)  # variance exactly 1
    assert fit(values, variance_threshold=1.0).mode == "pca"
    assert fit(values, variance_threshold=np.nextafter(1.0, 2)).mode == "mean"


def test_variance_is_averaged_over_a_parameters_numbers():
    values = np.zeros((4, 10), dtype=np.float32)
    values[:, 0] = [1, -1, 1, -1]  # variance 1 of one number in ten
    assert fit(values, variance_threshold=0.09).mode == "pca"
    assert fit(values, variance_threshold=0.11).mode == "mean"


def test_mean_mode_keeps_the_mean_alone():
    fitted = fit(VALUES, variance_threshold=100)
    assert fitted.n_coefficients == fitted.encode(VALUES).shape[1] == 0
    decoded = fitted.decode(fitted.encode(VALUES))
    assert decoded == pytest.approx(np.tile(VALUES.mean(0), (20, 1)), rel=1e-6)


def test_centred_mode_keeps_everything():
    fitted = fit(VALUES[:, :4])
    assert fitted.encode(VALUES[:, :4]) == pytest.approx(VALUES[:, :4] - VALUES[:, :4].mean(0), abs=1e-6)
    assert fitted.decode(fitted.encode(VALUES[:, :4])) == pytest.approx(VALUES[:, :4], abs=1e-6)


def test_pca_mode_is_scikit_learns_transform_and_back():
    fitted, theirs = fit(VALUES), PCA(5, svd_solver="full").fit(VALUES.astype(float))
    unseen = RNG.normal(size=(7, 30)).astype(np.float32)
    ours, expected = fitted.encode(unseen), theirs.transform(unseen)
    assert np.abs(ours) == pytest.approx(np.abs(expected), abs=1e-4)
    assert fitted.decode(ours) == pytest.approx(theirs.inverse_transform(expected), abs=1e-4)
    assert fitted.variance.sum() / fitted.total_variance == pytest.approx(theirs.explained_variance_ratio_.sum())


def test_n_minus_1_components_are_lossless_on_the_training_snapshots():
    fitted = fit(VALUES, components=1000)
    assert fitted.n_coefficients == len(VALUES) - 1
    assert fitted.decode(fitted.encode(VALUES)) == pytest.approx(VALUES, abs=1e-5)


@pytest.mark.parametrize("solver", ["incremental", "full", "randomized"])
def test_other_solvers_reconstruct_no_better(solver):
    def error(fitted):
        return ((fitted.decode(fitted.encode(VALUES)) - VALUES) ** 2).sum()

    exact = error(fit(VALUES))
    assert exact * (1 - 1e-5) <= error(fit(VALUES, solver=solver)) <= 1.5 * exact


def test_a_decoded_running_variance_is_never_below_the_training_minimum():
    positive = np.abs(VALUES)
    far = np.full((1, 5), -1e3, dtype=np.float32)
    decoded = fit(positive, name="bn1.running_var").decode(far)
    assert decoded.min() >= positive.min() > 0
    assert fit(positive, name="bn1.weight").decode(far).min() < 0


@pytest.mark.parametrize("limits", [{}, {"dimension_limit": 50}, {"variance_threshold": 100}])
def test_a_file_restores_it(tmp_path, limits):
    fitted = fit(VALUES, **limits)
    fitted.write(tmp_path / "p.h5")
    loaded = ParameterPCA.read(tmp_path / "p.h5")
    assert (loaded.name, loaded.mode, loaded.total_variance) == (fitted.name, fitted.mode, fitted.total_variance)
    assert np.array_equal(loaded.encode(VALUES), fitted.encode(VALUES))
    assert np.array_equal(loaded.decode(loaded.encode(VALUES)), fitted.decode(fitted.encode(VALUES)))


def test_parameters_are_fitted_to_their_own_columns(zoo, tmp_path):
    settings = PcaSettings(variance_threshold=1e-12, components=2)
    fit_parameters(zoo.train, [tmp_path / "p.h5"], ["layer2.0.conv1.weight"], settings)
    with open_zoo(zoo.train) as opened:
        values = read_weights(opened, columns=opened.layout["layer2.0.conv1.weight"].columns)
    expected = PCA(2, svd_solver="full").fit(values.astype(float))
    fitted = ParameterPCA.read(tmp_path / "p.h5")
    assert fitted.mean == pytest.approx(values.mean(0), abs=1e-6)
    assert fitted.variance == pytest.approx(expected.explained_variance_, rel=1e-4)


@pytest.mark.parametrize("limits", [{}, {"dimension_limit": 50}, {"variance_threshold": 100}])
def test_torch_tensors_are_encoded_and_decoded_like_arrays(limits):
    fitted = fit(np.abs(VALUES), name="bn1.running_var", **limits)
    tensors = replace(fitted, mean=torch.from_numpy(fitted.mean), components=torch.from_numpy(fitted.components))
    coefficients = fitted.encode(VALUES)
    assert tensors.encode(torch.from_numpy(VALUES)).numpy() == pytest.approx(coefficients, abs=1e-5)
    far = 1e3 * coefficients - 1
    decoded = tensors.decode(torch.from_numpy(far)).numpy()
    assert decoded == pytest.approx(fitted.decode(far), rel=1e-5, abs=1e-2)


@pytest.mark.parametrize(("columns", "rows", "most"), [(3, 9, 3), (4, 9, 4), (5, 9, 5), (50, 9, 8), (500, 99, 32)])
def test_the_maximum_number_of_coefficients_is_known_before_the_fit(columns, rows, most):
    assert PcaSettings().most_coefficients(columns, rows) == most
