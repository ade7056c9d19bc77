"""A budget keeps the components of largest worth, and effects on outputs are those of small steps."""

import numpy as np
import pandas as pd
import pytest
import torch

from tests.networks import resnet18
from tests.weights.conftest import LAYOUT
from wsl.errors import DataError
from wsl.images.inputs import normalised
from wsl.weights import sensitivity
from wsl.weights.coefficients import load_linear
from wsl.weights.gate import best_components, gate_components
from wsl.weights.sensitivity import effects_of, measure_sensitivity, output_gradients
from wsl.zoo.layout import layout_from
from wsl.zoo.network import flatten, state_dict


@pytest.fixture
def gradients(weights, images):
    """Gradients of outputs of a member: ``gradients(probes, recalibrated)``."""
    images = images.of_task("0/1/2")[0][:20]
    return lambda *how: output_gradients(weights[1], LAYOUT, images, *how, torch.Generator().manual_seed(0))


@torch.no_grad()
def centred_logits(weights, images):
    network = resnet18(2, 3).eval().double()
    network.load_state_dict(state_dict(weights, LAYOUT))
    logits = network(normalised(images.of_task("0/1/2")[0][:20]).double())
    return logits - logits.mean(1, keepdim=True)


def test_effects_are_squared_changes_of_outputs(linear, weights, images, gradients):
    effects = effects_of(linear, gradients(400, False))
    before, owners = centred_logits(weights[1], images), linear.owners
    for place in (0, 53, 54, 55, 80, 90):  # a stem, running statistics, layers
        parameter, entry = linear.parameters[place], LAYOUT.entries[place]
        step = 0.01 * np.sqrt(parameter.variance[0])
        moved = weights[1].astype(np.float64)
        moved[entry.columns] += step * parameter.components[0]
        change = (centred_logits(moved, images) - before) / before.std()
        expected = change.pow(2).sum(1).mean().item() / 0.01**2
        assert effects[owners == place][0] == pytest.approx(expected, rel=0.3), entry.name


def test_recalibrated_running_statistics_have_no_effect(gradients):
    plain, recalibrated = gradients(4, False), gradients(4, True)
    for entry in LAYOUT.entries:
        assert np.abs(plain[:, entry.columns]).max() > 0
        assert (np.abs(recalibrated[:, entry.columns]).max() == 0) == entry.running


def test_the_best_of_all_parameters_are_kept():
    worths = {"a": np.array([5.0, 1.0, 0.5]), "b": np.array([4.0, 3.0]), "c": np.array([0.1])}
    best = best_components(worths, 3)
    assert {name: places.tolist() for name, places in best.items()} == {"a": [0], "b": [0, 1], "c": []}


@pytest.fixture
def gated(fitted, tmp_path):
    def gate(**settings):
        out = [tmp_path / path.name for path in fitted]
        gate_components(fitted, out, **settings)
        return load_linear(out, LAYOUT)

    return gate


def test_a_budget_of_variance_keeps_most_variance(linear, gated):
    few = gated(budget=163)
    assert few.n_coefficients == 163
    kept, variances = (
        np.concatenate([pca.variance for pca in codec.parameters if pca.mode == "pca"]) for codec in (few, linear)
    )
    assert np.sort(kept) == pytest.approx(np.sort(variances)[-len(kept) :])
    assert [pca.mode for pca in few.parameters] == [pca.mode for pca in linear.parameters]


def test_a_budget_of_function_follows_the_table(zoo, fitted, linear, gated, packed, tmp_path, monkeypatch):
    table = tmp_path / "sensitivity.csv"
    for name, value in (("MEMBERS", 2), ("IMAGES", 10), ("PROBES", 3)):
        monkeypatch.setattr(sensitivity, name, value)
    measure_sensitivity(zoo.train, fitted, list(packed.values()), table, recalibrated=True)
    effects = pd.read_csv(table)
    # Parameters that are only centred are always kept, and have no row.
    centred = sum(pca.n_coefficients for pca in linear.parameters if pca.mode == "centred")
    assert len(effects) == linear.n_coefficients - centred
    assert (effects["effect"] >= 0).all()
    assert (effects.loc[effects["parameter"].str.contains("running"), "effect"] == 0).all()
    few = gated(budget=163, sensitivity=table)
    assert few.n_coefficients == 163
    assert not any(pca.n_coefficients for pca in few.parameters if "running" in pca.name and pca.mode == "pca")
    again = tmp_path / "again.csv"
    measure_sensitivity(zoo.train, fitted, list(packed.values()), again, recalibrated=True)
    assert again.read_bytes() == table.read_bytes()


def test_a_budget_too_small_for_centred_parameters_is_refused(gated):
    with pytest.raises(DataError, match=r"weights\.budget: 2 coefficients, but 123 numbers are only centred; raise it"):
        gated(budget=2)


class Normalised(torch.nn.Sequential):
    """A convolution, batch normalisation and a head; with a parameter that no output depends on."""

    def __init__(self, affine):
        layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4, affine=affine), torch.nn.Flatten()]
        super().__init__(*layers, torch.nn.Linear(4 * 14 * 14, 3))
        self.unused = torch.nn.Parameter(torch.ones(2))


def test_effects_of_statistics_do_not_need_a_weight(monkeypatch):
    images, gradients = torch.randint(0, 256, (6, 3, 16, 16), dtype=torch.uint8), {}
    for affine in (False, True):
        torch.manual_seed(1)
        network = Normalised(affine)
        state = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
        layout = layout_from([(name, value.shape) for name, value in state.items()], ["1.num_batches_tracked"])
        monkeypatch.setattr(sensitivity, "network_for", lambda layout, network=network: network)
        generator = torch.Generator().manual_seed(0)
        rows = output_gradients(flatten(network.state_dict(), layout)[0], layout, images, 2, False, generator)
        gradients[affine] = {entry.name: rows[:, entry.columns] for entry in layout.entries}
    assert not gradients[False]["unused"].any() and gradients[False]["1.running_mean"].any()
    for name, values in gradients[False].items():
        np.testing.assert_allclose(values, gradients[True][name], rtol=1e-4, atol=1e-6)
