"""Fits of modules to problems with known solutions."""

from itertools import chain

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from torch import nn

from wsl.training.fitting import Standardiser, fit, mlp
from wsl.training.recipe import Recipe

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
Y = (X @ RNG.normal(size=(4, 2)) + 0.1 * RNG.normal(size=(60, 2))).astype(np.float32)
PARTS = {"train": slice(0, 40), "validation": slice(40, 60)}
COUNTS = {"train": 40, "validation": 20}


def recipe(**changes):
    return Recipe(**{"learning_rate": 0.05, "batch_size": 40, "epochs": 5, **changes})


def regression(module, seen=None):
    """The mean squared error of ``module``; appends batches to ``seen``."""

    def loss_of(part, indices):
        if seen is not None:
            seen.append((part, indices.tolist(), module.training))
        x, y = (torch.from_numpy(array[PARTS[part]])[indices] for array in (X, Y))
        return (module(x) - y).square().mean()

    return loss_of


def test_it_reaches_least_squares():
    module = nn.Linear(4, 2)
    history = fit(module, regression(module), COUNTS, recipe(epochs=400, schedule="cosine", keep="last"), seed=0)
    exact = LinearRegression().fit(X[:40], Y[:40])
    assert module.weight.detach().numpy() == pytest.approx(exact.coef_, abs=0.01)
    assert history["train_loss"].iloc[-1] == pytest.approx(np.mean((exact.predict(X[:40]) - Y[:40]) ** 2), rel=0.01)


def test_batches_contain_each_row_once_per_epoch_in_a_new_order():
    module, seen = nn.Linear(4, 2), []
    fit(module, regression(module, seen), COUNTS, recipe(batch_size=16, epochs=2), seed=0)
    train = [batch for part, batch, training in seen if part == "train" and training]
    assert [len(batch) for batch in train] == [16, 16, 8] * 2
    first, second = list(chain(*train[:3])), list(chain(*train[3:]))
    assert sorted(first) == sorted(second) == list(range(40)) and first != second
    validation = [batch for part, batch, training in seen if part == "validation" and not training]
    assert list(chain(*validation)) == [*range(20), *range(20)]


@pytest.mark.parametrize(("batch_size", "sizes"), [(39, [40]), (13, [13, 13, 14]), (20, [20, 20]), (64, [40])])
def test_no_batch_is_a_single_row(batch_size, sizes):
    module, seen = nn.Linear(4, 2), []
    fit(module, regression(module, seen), COUNTS, recipe(batch_size=batch_size, epochs=1), seed=0)
    assert [len(batch) for part, batch, _ in seen if part == "train"] == sizes


def scripted(losses):
    """A module and a loss whose validation loss in epoch i is ``losses[i - 1]``."""
    module, calls = nn.Linear(1, 1), iter(losses)

    def loss_of(part, indices):
        return module.weight.sum() if part == "train" else torch.tensor(next(calls))

    return module, loss_of


@pytest.mark.parametrize(("keep", "kept"), [("best", 2), ("last", 5)])
def test_the_state_that_is_kept(keep, kept):
    module, loss_of = scripted([3.0, 1.0, 2.0, 4.0, 1.5])
    states = {}
    history = fit(module, loss_of, COUNTS, recipe(keep=keep), 0, lambda e: states.update({e: module.weight.item()}))
    assert history.loc[history["kept"], "epoch"].tolist() == [kept]
    assert module.weight.item() == states[kept]
    assert len(set(states.values())) == 6 and sorted(states) == [0, 1, 2, 3, 4, 5]
    assert not module.training


@pytest.mark.parametrize(("patience", "epochs"), [(None, 6), (2, 4), (3, 6), (1, 3)])
def test_patience_counts_epochs_without_a_lower_loss(patience, epochs):
    module, loss_of = scripted([3.0, 1.0, 2.0, 1.0, 0.5, 0.4])
    history = fit(module, loss_of, COUNTS, recipe(epochs=6, patience=patience), seed=0)
    assert history["epoch"].tolist() == list(range(1, epochs + 1))


def test_a_non_finite_loss_stops_it():
    module, loss_of = scripted([1.0, float("nan"), 1.0])
    with pytest.raises(FloatingPointError, match="epoch 2; lower learning_rate"):
        fit(module, loss_of, COUNTS, recipe(), seed=0)


def test_the_seed_decides_batches_and_dropout():
    results = []
    for seed in (0, 0, 1):
        torch.manual_seed(9)
        module = mlp([4, 8, 2], dropout=0.5)
        results.append(fit(module, regression(module), COUNTS, recipe(batch_size=8), seed))
    assert results[0].equals(results[1]) and not results[0].equals(results[2])


def test_weight_decay_is_decoupled():
    module = nn.Linear(1, 1, bias=False)
    before = module.weight.item()
    settings = recipe(epochs=1, learning_rate=0.1, weight_decay=0.5, keep="last")
    fit(module, lambda part, indices: 0 * module.weight.sum() + 1, COUNTS, settings, seed=0)
    assert module.weight.item() == pytest.approx(before * (1 - 0.1 * 0.5))


def test_long_gradients_are_scaled_and_short_ones_are_not():
    gradients = torch.tensor([[3.0, 4.0], [0.3, -0.4], [0.3, 0.1], [-0.2, 0.1]])  # only batches with the first are long
    module, order = nn.Linear(2, 1, bias=False), []

    def loss_of(part, indices):
        if module.training:
            order.extend(indices.tolist())
        return (gradients[indices] @ module.weight[0]).sum()

    start = module.weight.detach().clone()
    settings = recipe(max_gradient_norm=1, batch_size=2, epochs=3, keep="last", learning_rate=0.1)
    fit(module, loss_of, {"train": 4, "validation": 2}, settings, seed=1)
    expected = nn.Parameter(start)
    optimizer = torch.optim.AdamW([expected], lr=0.1, weight_decay=0)
    for first, second in zip(order[::2], order[1::2], strict=True):
        summed = gradients[first] + gradients[second]
        expected.grad = (summed / max(1, summed.norm().item()))[None]
        optimizer.step()
    assert module.weight.detach().numpy() == pytest.approx(expected.detach().numpy(), rel=1e-4)


def test_one_cycle_rises_and_falls_by_steps():
    """Smith and Topin's cycle by hand: from 1/25 up to the rate in 3 tenths of the steps, then down to 1/250,000.

    Without a gradient, decoupled weight decay shows the rate of each step.
    """
    module, seen = nn.Linear(1, 1, bias=False), []

    def loss_of(part, indices):
        seen.extend([module.weight.item()] if part == "train" else [])
        return 0 * module.weight.sum() + 1

    fit(module, loss_of, COUNTS, recipe(schedule="one-cycle", learning_rate=0.1, weight_decay=1, batch_size=4, epochs=1,
                                        keep="last"), seed=0)  # fmt: skip
    rates = 1 - np.divide([*seen[1:], module.weight.item()], seen)
    turn, low, last = 2, 0.1 / 25, 0.1 / 250_000  # ten steps, the third of which is the highest
    up = low + (0.1 - low) * (1 - np.cos(np.pi * np.arange(3) / turn)) / 2
    down = last + (0.1 - last) * (1 + np.cos(np.pi * np.arange(1, 8) / 7)) / 2
    assert rates == pytest.approx(np.concatenate([up, down]), abs=1e-6)


def test_an_mlp_has_relu_and_dropout_between_its_linear_layers():
    assert [type(layer) for layer in mlp([5, 4, 3, 2], 0.1)] == [nn.Linear, nn.ReLU, nn.Dropout] * 2 + [nn.Linear]
    assert [type(layer) for layer in mlp([5, 2], 0.1)] == [nn.Linear]


@pytest.mark.parametrize("how", ["per-coefficient", "per-parameter", "global"])
def test_units_are_root_mean_variances_per_group(how):
    values = RNG.normal(size=(30, 4)) * [1, 3, 10, 0] + 5
    groups = {"per-coefficient": [[0], [1], [2], [3]], "per-parameter": [[0, 2], [1, 3]], "global": [[0, 1, 2, 3]]}
    standardiser = Standardiser(4)
    standardiser.fit(torch.from_numpy(values), how, np.array([5, 1, 5, 1]))
    expected = np.ones(4)
    for columns in groups[how]:
        deviation = np.sqrt(values[:, columns].var(axis=0).mean())
        expected[columns] = deviation or 1.0
    assert standardiser.scale.numpy() == pytest.approx(expected, rel=1e-5)
    restored = standardiser.inverse(standardiser(torch.from_numpy(values)))
    assert restored.numpy() == pytest.approx(values, abs=1e-4)
