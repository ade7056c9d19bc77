"""A budget is spent where it is worth most, and effects on outputs are those of small steps."""

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from tests.networks import resnet18, resnet18_layout
from wsl.errors import DataError
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.weights import sensitivity
from wsl.weights.coefficients import load_linear
from wsl.weights.gate import best_components, gate_components
from wsl.weights.sensitivity import effects_of, measure_sensitivity, output_gradients
from wsl.zoo.network import state_dict

LAYOUT = resnet18_layout(2, 3)


@pytest.fixture(scope="module")
def linear(fitted):
    return load_linear(fitted, LAYOUT)


@pytest.fixture(scope="module")
def weights(zoo):
    with h5py.File(zoo.train) as file:
        return file["weights"][1]


@pytest.fixture(scope="module")
def images(packed):
    return TaskImages(list(packed.values())).of_task("0/1/2")[0][:20]


def scaled_logits(weights, images):
    network = resnet18(2, 3).eval().double()
    network.load_state_dict(state_dict(weights, LAYOUT))
    with torch.no_grad():
        logits = network(normalised(images).double())
    return logits - logits.mean(1, keepdim=True)


def test_effects_are_squared_changes_of_outputs(linear, weights, images):
    gradients = output_gradients(weights, LAYOUT, images, 400, False, torch.Generator().manual_seed(0))
    effects = effects_of(linear, gradients)
    before, owners = scaled_logits(weights, images), linear.owners
    for place in (0, 53, 54, 55, 80, 90):  # a stem, running statistics, layers
        parameter, entry = linear.parameters[place], LAYOUT.entries[place]
        step = 0.01 * np.sqrt(parameter.variance[0])
        moved = weights.astype(np.float64)
        moved[entry.columns] += step * parameter.components[0]
        change = (scaled_logits(moved, images) - before) / before.std()
        expected = change.pow(2).sum(1).mean().item() / 0.01**2
        assert effects[owners == place][0] == pytest.approx(expected, rel=0.3), entry.name


def test_recalibrated_running_statistics_count_for_nothing(weights, images):
    gradients = {
        again: output_gradients(weights, LAYOUT, images, 4, again, torch.Generator().manual_seed(0))
        for again in (True, False)
    }
    for entry in LAYOUT.entries:
        found = {again: np.abs(own[:, entry.columns]).max() for again, own in gradients.items()}
        assert found[False] > 0 and (found[True] == 0) == entry.running


def test_the_best_of_all_parameters_are_kept():
    worths = {"a": np.array([5.0, 1.0, 0.5]), "b": np.array([4.0, 3.0]), "c": np.array([0.1])}
    assert {name: own.tolist() for name, own in best_components(worths, 3).items()} == {"a": [0], "b": [0, 1], "c": []}


def test_a_budget_of_variance_loses_least_variance(fitted, linear, tmp_path):
    out = [tmp_path / path.name for path in fitted]
    gate_components(fitted, out, budget=163)
    gated = load_linear(out, LAYOUT)
    assert gated.n_coefficients == 163
    kept = np.concatenate([one.variance for one in gated.parameters if one.mode == "pca"])
    all_of_them = np.concatenate([one.variance for one in linear.parameters if one.mode == "pca"])
    assert np.sort(kept) == pytest.approx(np.sort(all_of_them)[-len(kept) :])
    assert [one.mode for one in gated.parameters] == [one.mode for one in linear.parameters]


def test_a_budget_of_function_keeps_what_the_table_says(zoo, fitted, linear, packed, tmp_path, monkeypatch):
    table = tmp_path / "sensitivity.csv"
    for name, value in (("MEMBERS", 2), ("IMAGES", 10), ("PROBES", 3)):
        monkeypatch.setattr(sensitivity, name, value)
    measure_sensitivity(zoo.train, fitted, list(packed.values()), table, recalibrated=True)
    effects = pd.read_csv(table)
    # What is only centred is kept anyway, and has no row.
    assert len(effects) == linear.n_coefficients - sum(
        one.n_coefficients for one in linear.parameters if one.mode == "centred"
    )
    assert (effects["effect"] >= 0).all()
    assert (effects.loc[effects["parameter"].str.contains("running"), "effect"] == 0).all()
    out = [tmp_path / path.name for path in fitted]
    gate_components(fitted, out, budget=163, sensitivity=table)
    gated = load_linear(out, LAYOUT)
    assert gated.n_coefficients == 163
    assert not any(one.n_coefficients for one in gated.parameters if "running" in one.name and one.mode == "pca")
    again = tmp_path / "again.csv"
    measure_sensitivity(zoo.train, fitted, list(packed.values()), again, recalibrated=True)
    assert again.read_bytes() == table.read_bytes()


def test_a_budget_too_small_for_what_is_centred_is_refused(fitted, tmp_path):
    with pytest.raises(DataError, match=r"weights\.budget: 2 coefficients"):
        gate_components(fitted, [tmp_path / path.name for path in fitted], budget=2)
