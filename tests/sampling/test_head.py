"""Pieces of heads against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import cosine_similarity

from wsl.sampling.head import SCALES, KnownClasses, cosine_head, loss_curve, ridge, scale_for

MIXING = torch.randn(5, 5, generator=torch.Generator().manual_seed(1)) + torch.eye(5)


@pytest.fixture
def known():
    """Four classes of 60 images in 5 dimensions, correlated and overlapping."""
    bodies = (torch.randn(4, 1, 5) + torch.randn(4, 60, 5)) @ MIXING
    return KnownClasses(bodies=bodies, clips=torch.randn(4, 60, 2), validation=bodies[:, :10], texts=None)


def rows_of(known):
    return known.bodies.flatten(0, 1).double().numpy(), np.repeat(range(len(known.bodies)), known.bodies.shape[1])


@pytest.mark.parametrize("rows", [6, 20, 50])
def test_ridge_is_scikit_learns_in_both_forms(rows):
    inputs, targets = torch.randn(rows, 20).double() + 3, torch.randn(rows, 4).double() - 2
    slope, intercept = ridge(inputs.float(), targets.float(), 2.5)
    expected = Ridge(alpha=2.5).fit(inputs.numpy(), targets.numpy())
    np.testing.assert_allclose(slope.T, expected.coef_, atol=1e-4)
    np.testing.assert_allclose(intercept, expected.intercept_, atol=1e-3)


def test_head_chooses_the_mean_of_highest_cosine(known):
    x, _ = rows_of(known)
    means = known.bodies.mean(1)
    logits = x @ cosine_head(means).T.double().numpy()
    assert np.array_equal(logits.argmax(1), cosine_similarity(x, means.numpy()).argmax(1))
    np.testing.assert_allclose(logits.mean(1), 0, atol=1e-5)


def logits_and_labels(noise, count=400):
    labels = torch.arange(3).repeat_interleave(count)
    return torch.nn.functional.one_hot(labels, 3) + noise * torch.randn(len(labels), 3), labels


def test_loss_curve_is_scikit_learns_log_loss():
    logits, labels = logits_and_labels(0.8)
    curve = loss_curve(logits, labels)
    for place in (0, 20, 50, 65):
        chances = (SCALES[place] * logits).double().softmax(1)
        assert curve[place].item() == pytest.approx(log_loss(labels, chances, labels=[0, 1, 2]), rel=1e-4)


def achieved(scale, logits, labels):
    return log_loss(labels, (scale * logits).double().softmax(1), labels=[0, 1, 2])


@pytest.mark.parametrize("loss", [1.05, 0.9, 0.75])
def test_a_scaled_head_has_the_loss_asked_for(loss):
    logits, labels = logits_and_labels(0.8)
    assert achieved(scale_for(loss, loss_curve(logits, labels)), logits, labels) == pytest.approx(loss, abs=5e-3)


def test_a_loss_out_of_reach_gives_the_best_scale():
    logits, labels = logits_and_labels(0.8)
    scale = scale_for(0.01, loss_curve(logits, labels))
    tried = [achieved(other, logits, labels) for other in SCALES.tolist()]
    assert achieved(scale, logits, labels) == pytest.approx(min(tried)) and min(tried) > 0.01


@pytest.mark.parametrize("loss", [np.log(3) + 0.01, 50.0])
def test_a_loss_above_chance_gives_the_smallest_head(loss):
    assert scale_for(loss, loss_curve(*logits_and_labels(0.8))) == pytest.approx(SCALES.min().item())


def test_a_head_that_only_misleads_is_made_as_small_as_can_be():
    logits, labels = logits_and_labels(0.0)
    assert scale_for(0.5, loss_curve(-logits, labels)) == pytest.approx(SCALES.min().item())
