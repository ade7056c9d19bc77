"""The behaviour loss against separately computed probabilities."""

from contextlib import ExitStack

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from scipy.stats import entropy

from tests.networks import resnet18
from wsl.images.inputs import normalised
from wsl.jobs.job import Job
from wsl.weights.behaviour import MEASURES, Behaviour
from wsl.weights.encoders.base import WEIGHT_ENCODERS, EncoderInputs
from wsl.weights.snapshots import Snapshots
from wsl.weights.training import EncoderData
from wsl.zoo.network import state_dict


@pytest.fixture
def snapshots(zoo):
    with Snapshots(zoo.train, orders=2, seed=0) as opened:
        yield opened


@pytest.fixture
def behaviour(snapshots, images):
    return Behaviour(snapshots.layout, images, queries=10**6)


def probabilities(weights, layout, inputs):
    network = resnet18(2, 3).train()  # statistics of the images at hand
    network.load_state_dict(state_dict(weights.numpy(), layout))
    with torch.no_grad():
        return np.exp(log_softmax(network(inputs).double().numpy(), axis=1))


def test_an_original_answers_as_itself(snapshots, behaviour):
    for row in (1, 7):  # in its own class order, and in another
        assert behaviour.loss(snapshots, [row], snapshots.weights([row])).item() == pytest.approx(0, abs=1e-6)


def test_it_is_the_divergence_of_probabilities(snapshots, behaviour, images):
    rows, decoded = [1, 3], snapshots.weights([3, 5])
    expected = []
    for row, vector in zip(rows, decoded, strict=True):
        inputs = normalised(images.of_task(snapshots.task(row))[0])
        vectors = snapshots.weights([row])[0], vector
        expected.append(entropy(*(probabilities(v, snapshots.layout, inputs) for v in vectors), axis=1).mean())
    assert behaviour.loss(snapshots, rows, decoded).item() == pytest.approx(np.mean(expected), rel=1e-3)


def test_errors_of_logits_are_relative_to_the_originals():
    """By hand: networks and probabilities do not change with the scale and the mean of logits."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 5, 4))
    ratios = []
    for one, other in zip(a, b, strict=True):
        one, other = (logits - logits.mean(1, keepdims=True) for logits in (one, other))
        ratios.append(np.square(other - one).sum() / np.square(one).sum())
    expected = pytest.approx(np.log1p(ratios).mean(), rel=1e-5)
    scales, means = np.array([1, 1e-3, 1e4])[:, None, None], rng.normal(size=(3, 5, 1))
    for pair in ((a, b), (scales * a + means, scales * b)):
        assert MEASURES["logits"](*map(torch.from_numpy, pair)).item() == expected


@pytest.mark.parametrize("measure", MEASURES)
def test_rows_of_one_task_together_are_the_mean_of_single_rows(snapshots, images, measure):
    """All images of a class are drawn, so that their order alone is random."""
    behaviour = Behaviour(snapshots.layout, images, queries=10**6, measure=measure)
    rows, found = [0, 1, 2, 1], []
    start = 1.05 * snapshots.weights([1, 2, 3, 4])
    for together in (True, False):
        decoded = start.clone().requires_grad_()
        if together:
            loss = behaviour.loss(snapshots, rows, decoded)
        else:
            loss = sum(behaviour.loss(snapshots, [row], decoded[i : i + 1]) for i, row in enumerate(rows)) / len(rows)
        loss.backward()
        found.append((loss.detach(), decoded.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * theirs.abs().max().item())


def test_the_published_measure_is_the_squared_difference_of_probabilities(snapshots, images):
    behaviour = Behaviour(snapshots.layout, images, queries=10**6, measure="probabilities")
    inputs = normalised(images.of_task(snapshots.task(1))[0])
    vectors = snapshots.weights([1, 3])
    ours, theirs = (probabilities(vector, snapshots.layout, inputs) for vector in vectors)
    loss = behaviour.loss(snapshots, [1], vectors[1:]).item()
    assert loss == pytest.approx(np.square(ours - theirs).mean(), rel=1e-3)


def test_a_relative_loss_is_1_for_the_mean_of_training_snapshots(zoo, packed):
    inputs = EncoderInputs(zoo.train, zoo.validation, packed=list(packed.values()))
    given = {"behaviour": 3, "behaviour_queries": 10**6}
    with ExitStack() as stack:
        data = EncoderData(inputs, 1, 0, Job(), stack)
        mean = data.training.weights(range(6)).mean(0).expand(6, -1)
        losses, states = [], []
        for relative in (False, True):
            data.settings = WEIGHT_ENCODERS["contrastive"](behaviour_relative=relative, **given)
            torch.manual_seed(0)
            of = data.behaviour(3)
            states.append(torch.get_rng_state())
            losses.append([of(data.training, list(range(6)), scale * mean).item() for scale in (1, 1.1)])
    assert torch.equal(*states)  # so that batches do not depend on the unit
    assert losses[1][0] == pytest.approx(3, rel=1e-4)
    assert losses[1][1] / losses[1][0] == pytest.approx(losses[0][1] / losses[0][0], rel=1e-3)


def test_gradients_reach_the_weights_and_not_running_statistics(snapshots, behaviour):
    decoded = snapshots.weights([3]).requires_grad_()
    behaviour.loss(snapshots, [1], decoded).backward()
    for entry in snapshots.layout.entries:
        assert (decoded.grad[0, entry.columns].abs().max() > 0) == (not entry.running), entry.name


def test_queries_are_a_number_per_class(snapshots, images):
    drawn = Behaviour(snapshots.layout, images, queries=2)._draw("0/1/2")
    assert len(drawn) == 6
    for start, name in enumerate("012"):
        known = {image.numpy().tobytes() for image in images.of_class(name)}
        assert {image.numpy().tobytes() for image in drawn[2 * start : 2 * start + 2]} <= known
