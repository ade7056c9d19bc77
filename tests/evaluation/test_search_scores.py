"""Scores of networks for new classes, against their definitions written out."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.cross_decomposition import CCA

from wsl.evaluation.search_scores import SCORES, Answers, h_score, leep, logme, nearest_mean, score


def answers(count=30, size=4, classes=3, own=5, spread=1.0):
    rng = np.random.default_rng(0)
    labels = np.arange(count) % classes
    features = rng.normal(size=(classes, size))[labels] + spread * rng.normal(size=(count, size))
    logits = rng.normal(size=(classes, own))[labels] + rng.normal(size=(count, own))
    return Answers(*(torch.tensor(values, dtype=torch.float32) for values in (features, logits)), torch.tensor(labels))


@pytest.mark.parametrize("size", [4, 12])
def test_logme_is_the_largest_evidence_of_a_linear_regression(size):
    given = answers(count=10, size=size)
    features = given.features.double().numpy()

    def evidence(logs, target):
        prior, noise = np.exp(-logs)
        covariance = features @ features.T * prior + noise * np.eye(len(features))
        return multivariate_normal.logpdf(target, np.zeros(len(target)), covariance)

    best = []
    for place in range(3):
        target = (given.labels.numpy() == place).astype(float)
        found = minimize(lambda logs, t=target: -evidence(logs, t), np.zeros(2), method="Nelder-Mead")
        best.append(-found.fun / len(target))
    assert logme(given) == pytest.approx(np.mean(best), abs=1e-4)


def test_leep_is_the_expected_prediction_through_joint_frequencies():
    given = answers()
    own, labels = given.logits.double().softmax(1).numpy(), given.labels.numpy()
    joint = np.zeros((3, own.shape[1]))
    for label, row in zip(labels, own, strict=True):
        joint[label] += row / len(own)
    given_own = joint / joint.sum(axis=0)
    expected = np.mean(
        [np.log(sum(given_own[y, z] * row[z] for z in range(5))) for y, row in zip(labels, own, strict=True)]
    )
    assert leep(given) == pytest.approx(expected)


def test_the_h_score_is_the_sum_of_squared_canonical_correlations_for_many_images():
    given = answers(count=60_000, spread=2.0)
    indicators = np.eye(3)[given.labels.numpy()][:, :2]
    pairs = (
        CCA(2, max_iter=5000, tol=1e-10).fit(given.features.numpy(), indicators).transform(given.features, indicators)
    )
    correlations = [np.corrcoef(pairs[0][:, place], pairs[1][:, place])[0, 1] for place in range(2)]
    assert h_score(given) == pytest.approx(np.square(correlations).sum(), rel=0.02)


def test_the_nearest_mean_leaves_each_image_out():
    given = answers(spread=1.5)
    features = given.features.double().numpy()
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    labels, right = given.labels.numpy(), 0
    for place, row in enumerate(features):
        others = np.arange(len(labels)) != place
        means = [features[others & (labels == one)].mean(axis=0) for one in range(3)]
        right += np.argmax([row @ mean / np.linalg.norm(mean) for mean in means]) == labels[place]
    assert nearest_mean(given) == right / len(labels) < 1


def test_separable_features_score_higher_and_broken_ones_lowest():
    near, far = answers(spread=2.0), answers(spread=0.1)
    broken = far._replace(features=far.features * torch.inf, logits=far.logits * torch.nan)
    constant = far._replace(features=torch.ones_like(far.features))
    for name in SCORES:
        if name != "leep":  # which reads no features
            assert score(name, far) > score(name, near)
            assert score(name, constant) < score(name, far)
        assert score(name, broken) == -np.inf
