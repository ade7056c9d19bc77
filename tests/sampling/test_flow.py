"""The flow, on distributions that are known."""

import numpy as np
import pandas as pd
import pytest
import torch

from wsl.datasets.class_means import ClassMeans
from wsl.fitting import Standardiser
from wsl.outcomes.bins import OutcomeBins, read_bins
from wsl.sampling.flow import FlowSampler, VelocityField, WaveFeatures, load_flow
from wsl.sampling.flow_training import fit_flow

RECIPE = {"learning_rate": 3e-3, "weight_decay": 0.0, "batch_size": 256, "epochs": 40, "patience": None}
RECIPE |= {"schedule": "cosine", "keep": "best"}
SHAPE = {
    "space": "latent",
    "normalise": "per-coefficient",
    "image_counts": [],
    "hidden": [64, 64],
    "dropout": 0.0,
    "frequencies": 3,
}


def fitted(world, name, **changes):
    state, history = world.folder / f"{name}.safetensors", world.folder / f"{name}.csv"
    recipe = {key: changes.pop(key, value) for key, value in RECIPE.items()}
    settings = {**SHAPE, "condition_dropout": 0.2, "recipe": recipe, "seed": 0, **changes}
    fit_flow(world.train, world.validation, world.class_means, world.bins, state, history, **settings)
    return state, history


@pytest.fixture(scope="module")
def flow(world):
    return fitted(world, "flow")


def sampler_of(flow, world, steps=16, method="heun", guidance=1.0, temperature=1.0):
    return FlowSampler(load_flow(flow[0]), read_bins(world.bins), steps, method, guidance, temperature)


@pytest.mark.parametrize(("task", "loss"), [("a/b/c", 0.2), ("f/a/d", 0.8)])
def test_it_recovers_the_conditional_gaussian(flow, world, task, loss):
    datasets, losses = ClassMeans(world.class_means).embed([task] * 4000), np.full(4000, loss)
    codes = sampler_of(flow, world).codes(datasets, losses, seed=1)
    # The data itself knows each condition from 50 snapshots alone; over all conditions the variances are about 20.
    assert codes.mean(axis=0) == pytest.approx(world.mean(datasets, losses)[0], abs=0.25 * np.sqrt(0.5))
    assert np.cov(codes.T) == pytest.approx(world.covariance, abs=0.25)


def test_seeds_give_different_models_and_one_seed_the_same(flow, world):
    datasets, losses = ClassMeans(world.class_means).embed(["a/b/c", "a/b/c"]), np.array([0.1, 0.1])
    sampler = sampler_of(flow, world)
    one, again, other = (sampler.codes(datasets, losses, seed) for seed in (0, 0, 1))
    assert np.array_equal(one, again) and one.dtype == np.float32
    assert np.abs(one - other).min() > 1e-3 and np.abs(one[0] - one[1]).max() > 1e-3


def test_without_noise_there_is_one_model_and_it_lies_in_the_middle(flow, world):
    datasets, losses = ClassMeans(world.class_means).embed(["a/b/c"]), np.array([0.2])
    one, other = (sampler_of(flow, world, temperature=0.0).codes(datasets, losses, seed) for seed in (0, 1))
    assert np.array_equal(one, other)
    assert one == pytest.approx(world.mean(datasets, losses), abs=0.35 * np.sqrt(0.5))


def test_without_guidance_the_condition_is_not_seen(flow, world):
    means, losses = ClassMeans(world.class_means), np.zeros(1)
    here, there = (means.embed([task]) for task in ("a/b/c", "d/e/f"))
    blind = sampler_of(flow, world, guidance=0.0)
    assert np.array_equal(blind.codes(here, losses, 0), blind.codes(there, losses + 1, 0))
    near, far = (sampler_of(flow, world, guidance=g).codes(here, losses, 0) for g in (1.0, 3.0))
    assert np.abs(near - far).max() > 1e-2


def test_the_kept_state_has_the_lowest_of_comparable_losses(flow):
    history = pd.read_csv(flow[1])
    assert history.loc[history["kept"], "validation_loss"].tolist() == [history["validation_loss"].min()]
    assert history["validation_loss"].min() < 0.8 * history["validation_loss"].iloc[0]


def test_same_seed_gives_the_same_bytes(world):
    one, two, three = (
        fitted(world, f"short{name}", epochs=1, seed=seed, image_counts=[1, 20])[0].read_bytes()
        for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    assert one == two != three


class Field:
    """A velocity that is known: ``speed`` times x."""

    def __init__(self, speed, space="latent"):
        self.speed, self.shape, self.codes = speed, {"code": 2, "space": space}, Standardiser(2)

    def __call__(self, x, *condition):
        return self.speed * x


BINS = OutcomeBins(np.arange(3.0), np.ones(2))


# dx/dt = x takes x to e x; a step of a quarter to 1 + 1/4 times, and with the second look to 1 + 1/4 + 1/32 times.
@pytest.mark.parametrize(
    ("method", "steps", "factor"),
    [("euler", 4, (1 + 1 / 4) ** 4), ("heun", 4, (1 + 1 / 4 + 1 / 32) ** 4), ("heun", 200, np.e)],
)
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_steps_are_those_of_the_method(method, steps, factor, temperature):
    sampler = FlowSampler(Field(1.0), BINS, steps, method, 1.0, temperature)
    noise = torch.randn((3, 2), generator=torch.Generator().manual_seed(7)).numpy()
    codes = sampler.codes(np.zeros((3, 1)), np.zeros(3), seed=7)
    assert codes == pytest.approx(factor * temperature * noise, rel=1e-4)


def test_codes_come_in_their_own_units():
    field, training = Field(0.0, "coefficients"), torch.randn(50, 2) * torch.tensor([10.0, 0.1]) + 100
    field.codes.fit(training)
    sampler = FlowSampler(field, BINS, 2, "euler", 1.0, 1.0)
    codes = sampler.codes(np.zeros((5000, 1)), np.zeros(5000), seed=0)
    assert sampler.space == "coefficients"
    assert codes.mean(0) == pytest.approx(training.mean(0).numpy(), rel=0.02)
    assert codes.std(0) == pytest.approx(training.std(0, correction=0).numpy(), rel=0.05)


def test_waves_by_hand():
    waves = WaveFeatures(2)(torch.tensor([0.0, 0.25, 1.0])).numpy()
    half = np.sqrt(0.5)
    assert waves == pytest.approx(np.array([[0, 1, 1, 0, 0], [0.25, half, 0, half, 1], [1, -1, 1, 0, 0]]), abs=1e-6)


def test_a_hidden_condition_changes_nothing():
    field = VelocityField(dataset=6, bins=4, code=3, hidden=[8], dropout=0.0, frequencies=2, space="latent")
    x, t, hidden = torch.randn(5, 3), torch.rand(5), torch.zeros(5)
    one = field(x, t, torch.randn(5, 6), torch.tensor([0, 1, 2, 3, 0]), hidden)
    assert torch.equal(one, field(x, t, torch.randn(5, 6), torch.tensor([3, 3, 3, 3, 3]), hidden))
    assert not torch.equal(one, field(x, t, torch.randn(5, 6), torch.tensor([0, 1, 2, 3, 0]), 1 - hidden))
