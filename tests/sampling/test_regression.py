"""Regression against scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from wsl.datasets.class_means import ClassMeans
from wsl.files.hdf5 import new_hdf5, put_table
from wsl.files.plain import write_json
from wsl.sampling.methods.regression import Regression, RegressionSettings, fit_regression
from wsl.weights.codec import read_latents

SETTINGS = {"learning_rate": 0.02, "batch_size": 400, "epochs": 800, "hidden": [], "dropout": 0.0}


@pytest.fixture(scope="module")
def fitted(world):
    """A linear network fitted to 400 codes, its codes and its snapshots."""
    latents, snapshots = read_latents(world.train)
    codes, snapshots = latents[:400] * [1, 50] + [0, 1000], snapshots[:400]
    path, bins = world.folder / "coefficients.h5", world.folder / "two_bins.json"
    with new_hdf5(path) as file:
        file["coefficients"] = codes.astype(np.float32)
        file["parameter"] = np.arange(2)  # each coefficient is a parameter of its own
        put_table(file, "snapshots", snapshots)
    write_json(bins, {"edges": [0.0, 0.5, 1.0], "counts": [1, 1], "interpolate": False})
    files = (path, path, world.class_means, bins, world.folder / "r.safetensors", world.folder / "r.csv")
    settings = RegressionSettings(**SETTINGS)
    fit_regression(*files, settings)
    return Regression(settings, world.run(bins, fitted=world.folder / "r.safetensors")), codes, snapshots


def test_a_linear_network_is_least_squares(fitted, world):
    sampler, codes, snapshots = fitted
    datasets, losses = ClassMeans(world.class_means).embed(snapshots["task"]), snapshots["validation_loss"].to_numpy()
    design = np.column_stack([datasets, losses >= 0.5])
    expected = LinearRegression().fit(design, codes).predict(design)
    given = sampler.codes(datasets, losses, seed=0)
    assert (given - expected) / codes.std(0) == pytest.approx(0, abs=0.01)
    assert sampler.space == "coefficients"


def test_codes_are_the_same_for_every_seed(fitted, world):
    sampler, *_ = fitted
    datasets, losses = ClassMeans(world.class_means).embed(world.tasks[:3]), np.array([0.1, 0.2, 0.9])
    assert np.array_equal(sampler.codes(datasets, losses, 0), sampler.codes(datasets, losses, 1))


def test_history_has_no_chance_level(fitted, world):
    assert pd.read_csv(world.folder / "r.csv")["train_chance"].isna().all()
