"""Ways to merge: each against its definition, worked by hand or minimised by other means."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.models import LAYOUT
from tests.networks import resnet18
from wsl.images.tasks import TaskImages
from wsl.sampling.merged_body import members_of
from wsl.sampling.merging._linear import linear_layers, vectors
from wsl.sampling.merging._members import Members
from wsl.sampling.merging.base import MERGES
from wsl.sampling.merging.ties import elected
from wsl.sampling.merging.wudi import least_interference
from wsl.zoo.index import open_zoo
from wsl.zoo.member import read_member


def merge(name, **settings):
    return MERGES[name](MERGES[name].Settings(**settings))


@pytest.fixture
def members(zoo, packed, start):
    """The three training members as merges read them."""
    with open_zoo(zoo.train) as index:
        run = SimpleNamespace(
            zoo=index, layout=LAYOUT, images=TaskImages(list(packed.values())), files={"start": start}
        )
        yield members_of(run)


@pytest.fixture(scope="module")
def weights(zoo):
    """Their weights (3, n_weights) after training."""
    return np.stack([read_member(path).weights[-1] for path in zoo.members[:3]])


def test_soup_is_the_mean(members, weights):
    np.testing.assert_allclose(merge("soup").body(members, None), weights.mean(axis=0), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_task_arithmetic_goes_from_the_start_along_the_mean_change(members, weights, scale):
    body = merge("task-arithmetic").body(members, scale)
    expected = (1 - scale) * members.start + scale * weights.mean(axis=0)
    np.testing.assert_allclose(body, expected, rtol=1e-4, atol=1e-5)


def test_ties_elects_the_sign_with_the_larger_sum_and_averages_its_numbers():
    trimmed = np.array([[3.0, -1.0, 0.0, 2.0], [1.0, -2.0, 0.0, -2.0], [-2.0, 2.0, 0.0, 1.0]])
    np.testing.assert_allclose(elected(trimmed), [2.0, -1.5, 0.0, 1.5])


def test_ties_keeps_the_largest_changes_of_each_member(members, weights):
    learned = [c for entry in members.entries if not entry.running for c in range(*entry.columns.indices(LAYOUT.size))]
    changes = (weights - members.start)[:, learned]
    kept = np.zeros_like(changes)
    for row, values in enumerate(changes):
        largest = np.argsort(-np.abs(values))[: round(0.1 * len(values))]
        kept[row, largest] = values[largest]
    vector = merge("ties", kept=0.1).vector(members)[learned]
    agree = np.isclose(vector, elected(kept), rtol=1e-4, atol=1e-6)
    assert agree.mean() > 0.999  # a number at the threshold may be kept or not
    assert 0.1 < (vector != 0).mean() < 0.3


def test_regmean_is_the_least_squares_fit_to_the_outputs_of_all_members(members, weights):
    """The first layer sees the same images in all members, so that ``lstsq`` can fit it."""
    body = merge("regmean", images=4, off_diagonal=1.0).body(members, None)
    columns, identity = LAYOUT["conv1.weight"].columns, torch.eye(147).view(147, 3, 7, 7)
    inputs, outputs = [], []
    for task, own in zip(members.tasks, weights, strict=True):
        patches = functional.conv2d(members.inputs(task, 4), identity, stride=2, padding=3)
        inputs.append(patches.permute(0, 2, 3, 1).reshape(-1, 147).double().numpy())
        outputs.append(inputs[-1] @ own[columns].reshape(2, 147).T)
    # Digits are grey, so that two of three channels are rounding errors, which the cut-off leaves out.
    fitted = np.linalg.lstsq(np.concatenate(inputs), np.concatenate(outputs), rcond=1e-5)[0].T
    error = np.concatenate(inputs) @ body[columns].reshape(2, 147).T - np.concatenate(outputs)
    least = np.concatenate(inputs) @ fitted.T - np.concatenate(outputs)
    mean = np.concatenate(inputs) @ members.mean[columns].reshape(2, 147).T - np.concatenate(outputs)
    assert np.square(error).sum() < 1.001 * np.square(least).sum() < 0.99 * np.square(mean).sum()


def test_regmean_without_inputs_off_the_diagonal_weighs_by_their_squares(members, weights):
    """Equation 2 of the paper with a diagonal Gram matrix."""
    body = merge("regmean", images=4, off_diagonal=0.0).body(members, None)
    columns, identity = LAYOUT["conv1.weight"].columns, torch.eye(147).view(147, 3, 7, 7)
    squares = np.stack(
        [
            functional.conv2d(members.inputs(task, 4), identity, stride=2, padding=3).square().sum((0, 2, 3)).numpy()
            for task in members.tasks
        ]
    )
    matrices = weights[:, columns].reshape(3, 2, 147)
    expected = (squares[:, None] * matrices).sum(axis=0) / squares.sum(axis=0)
    np.testing.assert_allclose(body[columns].reshape(2, 147), expected, rtol=1e-3, atol=1e-5)


def test_wudi_has_the_least_interference():
    changes = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 4, 6)))

    def interference(merged):
        each = [((merged - one) @ one.T).square().sum() / one.square().sum() for one in changes]
        return torch.stack(each).sum()

    merged = changes.sum(0).clone().requires_grad_()  # where the paper's descent begins
    optimizer = torch.optim.LBFGS([merged], max_iter=500, tolerance_grad=1e-10, line_search_fn="strong_wolfe")
    optimizer.step(lambda: (optimizer.zero_grad(), loss := interference(merged), loss.backward())[1])
    found = least_interference(changes.numpy())
    np.testing.assert_allclose(found, merged.detach(), rtol=1e-3, atol=1e-3)
    assert interference(torch.from_numpy(found)) < 0.5 * interference(changes.mean(0))


def test_wudi_of_equal_task_vectors_is_that_vector():
    change = np.random.default_rng(0).normal(size=(4, 6))
    np.testing.assert_allclose(least_interference(np.stack([change, change])), change, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["regmean", "wudi"])
def test_parameters_that_are_no_matrices_are_averaged(members, weights, name):
    body, matrices = merge(name).body(members, None), linear_layers(resnet18(2, 3), members.entries)
    others = [entry for entry in members.entries if entry.name not in matrices]
    assert len(matrices) == 20 and len(others) == 80
    for entry in others:
        np.testing.assert_allclose(body[entry.columns], weights[:, entry.columns].mean(axis=0), rtol=1e-4, atol=1e-6)


def test_nearest_soup_and_line(members, weights):
    rows = members.rows[[2, 0, 1]]
    soup = merge("nearest-soup").of_task(members, rows, 2)
    np.testing.assert_allclose(soup, weights[[2, 0]].mean(axis=0), rtol=1e-5, atol=1e-7)
    line = merge("nearest-line").of_task(members, rows, 0.25)
    np.testing.assert_allclose(line, 0.75 * members.start + 0.25 * weights[2], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "layer, shape",
    [
        (torch.nn.Conv2d(3, 4, 3, stride=2, padding=1, dilation=2, bias=False), (2, 3, 9, 9)),
        (torch.nn.Linear(5, 4, bias=False), (2, 7, 5)),
    ],
)
def test_rows_times_the_matrix_are_the_outputs(layer, shape):
    inputs = torch.randn(shape)
    outputs = layer(inputs)
    outputs = outputs.flatten(2).transpose(1, 2) if outputs.ndim == 4 else outputs
    torch.testing.assert_close(
        vectors(layer, inputs) @ layer.weight.flatten(1).T, outputs.flatten(0, 1), rtol=1e-4, atol=1e-5
    )


def test_grouped_convolutions_are_no_matrices():
    network = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 3, groups=2), torch.nn.Conv2d(4, 4, 3, padding="same"))
    entries = [SimpleNamespace(name=name) for name in ("0.weight", "1.weight")]
    assert not linear_layers(network, entries)


def test_members_have_no_head(members):
    assert isinstance(members, Members) and {entry.name for entry in members.entries}.isdisjoint(LAYOUT.head)
