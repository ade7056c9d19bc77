"""Comparisons of outputs against scikit-learn and scipy."""

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from sklearn.metrics import accuracy_score
from sklearn.metrics.pairwise import cosine_similarity

from tests.networks import resnet18, resnet18_layout
from wsl.evaluation.outputs import Runner, accuracy, compare, synthetic_inputs
from wsl.zoo.member import read_member
from wsl.zoo.network import state_dict


@pytest.mark.parametrize("noise", [0.1, 1.0, 10.0])
def test_metrics_are_scipys_and_scikit_learns(noise):
    generator = torch.Generator().manual_seed(0)
    original = torch.randn(50, 3, generator=generator) + torch.tensor([0.0, 1.0, 2.0])
    other = original + noise * torch.randn(50, 3, generator=generator)
    metrics = compare(original, other)
    assert metrics["correlation"] == pytest.approx(pearsonr(original.ravel(), other.ravel()).statistic, abs=1e-6)
    assert metrics["cosine"] == pytest.approx(np.diag(cosine_similarity(original, other)).mean(), abs=1e-6)
    assert metrics["agreement"] == pytest.approx(accuracy_score(original.argmax(1), other.argmax(1)))


def test_identical_outputs_agree_completely():
    outputs = torch.randn(20, 3)
    assert compare(outputs, outputs) == pytest.approx({"agreement": 1.0, "cosine": 1.0, "correlation": 1.0})


def test_opposite_outputs_do_not():
    outputs = torch.randn(20, 3)
    assert compare(outputs, -outputs) == pytest.approx({"agreement": 0.0, "cosine": -1.0, "correlation": -1.0})


def test_agreement_by_hand():
    original = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [0.0, 5.0]])
    other = torch.tensor([[9.0, 1.0], [1.0, 0.0], [3.0, 2.9], [0.0, 0.1]])
    assert compare(original, other)["agreement"] == 0.75


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_outputs_agree_on_nothing(value):
    broken = torch.randn(20, 3)
    broken[4, 1] = value
    assert compare(torch.randn(20, 3), broken) == {"agreement": 0.0, "cosine": 0.0, "correlation": 0.0}


def test_constant_outputs_correlate_with_nothing():
    assert compare(torch.randn(20, 3), torch.ones(20, 3))["correlation"] == 0.0


@pytest.mark.parametrize("path", [0, 1, 3])
def test_runner_is_a_forward_pass_in_evaluation_mode(zoo, path):
    layout, member = resnet18_layout(2, 3), read_member(zoo.members[path])
    runner, inputs = Runner(layout), synthetic_inputs(600, 16, seed=0)
    for weights, counters in zip(member.weights, member.counters, strict=True):
        network = resnet18(2, 3)
        network.load_state_dict(state_dict(weights, layout, counters), strict=True)
        with torch.no_grad():
            assert torch.allclose(runner.logits(weights, inputs), network.eval()(inputs), atol=1e-5)


def test_runner_knows_width_and_classes_from_the_layout():
    layout = resnet18_layout(4, 5)
    weights = np.random.default_rng(0).uniform(0, 0.1, layout.size).astype(np.float32)
    assert Runner(layout).logits(weights, synthetic_inputs(2, 16, seed=0)).shape == (2, 5)


def test_synthetic_inputs_are_seeded_standard_normal_noise():
    inputs = synthetic_inputs(40, 16, seed=1)
    assert inputs.shape == (40, 3, 16, 16)
    assert inputs.mean().item() == pytest.approx(0, abs=0.02) and inputs.std().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(inputs, synthetic_inputs(40, 16, seed=1))
    assert not torch.equal(inputs, synthetic_inputs(40, 16, seed=2))


def test_accuracy_is_scikit_learns():
    logits, labels = torch.randn(31, 3), torch.randint(0, 3, (31,))
    assert accuracy(logits, labels) == pytest.approx(accuracy_score(labels, logits.argmax(1)))
