"""The flow on known distributions."""

from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch

from wsl.datasets.class_means import ClassMeans
from wsl.files.hdf5 import new_hdf5, put_table
from wsl.jobs.job import Job
from wsl.sampling import residual_flow
from wsl.sampling.methods.flow import Flow, FlowSettings
from wsl.sampling.methods.regression import Regression
from wsl.sampling.residual_flow import FlowFiles, ResidualFlow, WaveFeatures, fit_flow, load_flow, sample_residuals
from wsl.shared.settings import Shared
from wsl.shared.training import train_shared
from wsl.weights.codec import read_latents

RECIPE = {"learning_rate": 3e-3, "weight_decay": 0.0, "batch_size": 256, "epochs": 40, "patience": None}
RECIPE |= {"schedule": "cosine", "keep": "best"}
SETTINGS = {"learning_rate": 3e-3, "batch_size": 256, "epochs": 40, "directions": 8, "hidden": [64, 64], "dropout": 0.0}
PREDICTION = {"outcome_embedding": 4, "hidden": [64], "dropout": 0.0, "standardise": True}
PREDICTION |= {"losses": {"nt_xent": 0, "mse": 1}}


@pytest.fixture(scope="module")
def regression(world):
    out, given = world.folder / "prediction.safetensors", (world.train, world.validation, world.class_means, world.bins)
    train_shared(*given, out, world.folder / "prediction.csv", Shared(**PREDICTION, **RECIPE))
    return out


def fitted(world, regression, name, **changes):
    state, history = world.folder / f"{name}.safetensors", world.folder / f"{name}.csv"
    about = {key: changes.pop(key, value) for key, value in (("normalise", "per-coefficient"), ("image_counts", []))}
    job, inputs = Job(seed=changes.pop("seed", 0)), (world.train, world.validation, world.class_means, world.bins)
    settings = KeepBest(**{**SETTINGS, **changes})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(residual_flow, "FREQUENCIES", 3)
        fit_flow(FlowFiles(*inputs, regression), state, history, settings, **about, job=job)
    return state, history


class KeepBest(FlowSettings):
    """Settings that keep the state of lowest validation loss."""

    keep: ClassVar[str] = "best"


def predicted(world, regression, datasets, losses):
    return Regression(None, world.run(fitted=regression)).codes(datasets, losses)


@pytest.fixture(scope="module")
def flow(world, regression):
    return fitted(world, regression, "flow")


@pytest.fixture
def sampler_of(flow, regression, world):
    def load(temperature=1.0, state=flow[0]):
        settings = FlowSettings(steps=16, temperature=temperature)
        return Flow(settings, world.run(regression=regression, fitted=state))

    return load


@pytest.mark.parametrize(("task", "loss"), [("a/b/c", 0.2), ("f/a/d", 0.8)])
def test_it_recovers_the_conditional_gaussian(sampler_of, world, task, loss):
    datasets, losses = ClassMeans(world.class_means).embed([task] * 4000), np.full(4000, loss)
    codes = sampler_of().codes(datasets, losses, seed=1)
    # The data has only 50 snapshots per condition; over all conditions the variances are about 20.
    assert codes.mean(axis=0) == pytest.approx(world.mean(datasets, losses)[0], abs=0.25 * np.sqrt(0.5))
    assert np.cov(codes.T) == pytest.approx(world.covariance, abs=0.25)


@pytest.fixture(scope="module")
def two(world, regression):
    """A flow of residuals of 1 and -1, along one line."""
    latents, snapshots = read_latents(world.train)
    conditions = ClassMeans(world.class_means).embed(snapshots["task"]), snapshots["validation_loss"].to_numpy()
    means = predicted(world, regression, *conditions)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (len(latents), 1))
    path = world.folder / "two.h5"
    with new_hdf5(path) as file:
        file["latents"] = (means + signs * [3.0, 1.0]).astype(np.float32)
        put_table(file, "snapshots", snapshots)
    return fitted(SimpleNamespace(**{**vars(world), "train": path, "validation": path}), regression, "two")


def test_it_learns_a_distribution_that_is_not_gaussian(two, sampler_of, world):
    datasets, losses = ClassMeans(world.class_means).embed(["c/b/a"] * 1000), np.full(1000, 0.5)
    codes = (sampler_of(state=two[0]).codes(datasets, losses, seed=0), sampler_of(0.0).codes(datasets, losses))
    residuals = (codes[0] - codes[1]) / [3.0, 1.0]
    assert residuals[:, 0] == pytest.approx(residuals[:, 1], abs=0.05)
    assert (np.abs(np.abs(residuals[:, 0]) - 1) < 0.35).mean() > 0.8  # 0.34 for a Gaussian of deviation 1
    assert 0.4 < (residuals[:, 0] > 0).mean() < 0.6


def test_the_kept_state_has_the_lowest_of_comparable_losses(two):
    history = pd.read_csv(two[1])
    assert history.loc[history["kept"], "validation_loss"].tolist() == [history["validation_loss"].min()]
    assert history["validation_loss"].min() < 0.8 * history["validation_loss"].iloc[0]


def test_seeds_give_different_models_and_one_seed_the_same(sampler_of, world):
    datasets, losses = ClassMeans(world.class_means).embed(["a/b/c", "a/b/c"]), np.array([0.1, 0.1])
    first, again, other = (sampler_of().codes(datasets, losses, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again) and first.dtype == np.float32
    assert np.abs(first - other).min() > 1e-3 and np.abs(first[0] - first[1]).max() > 1e-3


def test_without_noise_it_is_the_prediction(sampler_of, regression, world):
    datasets, losses = ClassMeans(world.class_means).embed(["a/b/c"]), np.array([0.2])
    for seed in (0, 1):
        found = sampler_of(0.0).codes(datasets, losses, seed)
        assert np.array_equal(found, predicted(world, regression, datasets, losses))


def test_fewer_directions_are_the_principal_ones(regression, world):
    flow = load_flow(fitted(world, regression, "one", directions=1, epochs=1, normalise="global")[0])
    latents, snapshots = read_latents(world.train)
    conditions = ClassMeans(world.class_means).embed(snapshots["task"]), snapshots["validation_loss"].to_numpy()
    residuals = latents - predicted(world, regression, *conditions)
    values, vectors = np.linalg.eigh(residuals.T @ residuals / len(residuals))
    basis = flow.basis.numpy() * flow.deviations.numpy()[:, None]
    assert np.abs(basis[0]) == pytest.approx(np.abs(vectors[:, -1]) * np.sqrt(values[-1]), rel=1e-3)


def test_same_seed_gives_the_same_bytes(world, regression):
    one, two, three = (
        fitted(world, regression, f"short{name}", epochs=1, seed=seed, image_counts=[1, 20])[0].read_bytes()
        for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    assert one == two != three


class Speed:
    """The known velocity ``speed`` times x."""

    def __init__(self, speed):
        self.speed, self.basis, self.deviations = speed, torch.eye(2), torch.tensor([1.0, 4.0])

    def __call__(self, x, *condition):
        return self.speed * x


# dx/dt = x takes x to e x; a step of a quarter by Heun's method to 1 + 1/4 + 1/32 times.
@pytest.mark.parametrize(("steps", "factor"), [(4, (1 + 1 / 4 + 1 / 32) ** 4), (200, np.e)])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_steps_are_those_of_heuns_method(steps, factor, temperature):
    noise = torch.randn((3, 2), generator=torch.Generator().manual_seed(7)).numpy()
    codes = sample_residuals(Speed(1.0), np.zeros(3), steps, temperature, seed=7)
    assert codes == pytest.approx(factor * temperature * noise * [1, 4], rel=1e-4)


def test_untrained_it_ends_where_it_began():
    """d/dt log sqrt(t^2 + (1 - t)^2) is the velocity's factor, and the root is 1 at both ends."""
    flow = ResidualFlow(bins=4, code=2, directions=2, hidden=[8], dropout=0.0, frequencies=2)
    flow.basis.copy_(torch.eye(2))
    noise = torch.randn((3, 2), generator=torch.Generator().manual_seed(7)).numpy()
    assert sample_residuals(flow, np.zeros(3), 400, 1.0, seed=7) == pytest.approx(noise, rel=1e-3)


def test_waves_by_hand():
    waves = WaveFeatures(2)(torch.tensor([0.0, 0.25, 1.0])).numpy()
    half = np.sqrt(0.5)
    assert waves == pytest.approx(np.array([[0, 1, 1, 0, 0], [0.25, half, 0, half, 1], [1, -1, 1, 0, 0]]), abs=1e-6)
