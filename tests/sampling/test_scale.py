"""The scale of a head against scikit-learn's loss."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from wsl.sampling.head import SCALES, loss_curve, scale_for


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
