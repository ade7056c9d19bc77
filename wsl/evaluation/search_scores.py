"""Scores of how well a trained network suits new classes, from its answers to a few labelled images.

None of them trains the network. Higher is better; a score of networks whose outputs are not finite is -inf.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

TOLERANCE, MOST_STEPS = 1e-5, 100  # of the evidence's fixed point


class Answers(NamedTuple):
    """What a network makes of n labelled images of C classes."""

    features: torch.Tensor  # inputs of its head (n, F)
    logits: torch.Tensor  # its outputs for its own classes (n, own classes)
    labels: torch.Tensor  # of the images (n,), 0 to C - 1


def logme(answers: Answers) -> float:
    """Return the logarithm of the maximum evidence (You et al., ICML 2021), per image and class.

    A Bayesian linear regression from features to each class's indicator has prior precision alpha and noise precision
    beta, which maximise the evidence.
    """
    features = answers.features.double()
    count, size = features.shape
    left, values, _ = torch.linalg.svd(features, full_matrices=False)
    squares = values.square()
    targets = functional.one_hot(answers.labels).double()
    return float(np.mean([_evidence(left, squares, target, count, size) for target in targets.T]))


def _evidence(left: torch.Tensor, squares: torch.Tensor, target: torch.Tensor, count: int, size: int) -> float:
    """Return the maximum log evidence per image of one target (n,), by MacKay's fixed point for alpha and beta."""
    along = (left.T @ target).square()
    beyond = (target.square().sum() - along.sum()).clamp_min(0)
    alpha = beta = torch.tensor(1.0, dtype=torch.float64)
    for _ in range(MOST_STEPS):
        ratio = alpha / beta
        effective = (squares / (squares + ratio)).sum()  # number of well-determined weights
        length = (squares * along / (squares + ratio).square()).sum()  # of the mean weights, squared
        error = (along * (ratio / (squares + ratio)).square()).sum() + beyond
        alpha, beta = effective / length.clamp_min(1e-12), (count - effective) / error.clamp_min(1e-12)
        if abs(alpha / beta - ratio) <= TOLERANCE * ratio:
            break
    ratio = alpha / beta
    length = (squares * along / (squares + ratio).square()).sum()
    error = (along * (ratio / (squares + ratio)).square()).sum() + beyond
    determinant = (alpha + beta * squares).log().sum() + (size - len(squares)) * alpha.log()
    evidence = size * alpha.log() + count * beta.log() - determinant - beta * error - alpha * length
    return float(evidence - count * np.log(2 * np.pi)) / 2 / count


def leep(answers: Answers) -> float:
    """Return the log expected empirical prediction (Nguyen et al., ICML 2020), nats per image.

    The network's own classes predict the new ones through their joint frequencies on the images.
    """
    own = answers.logits.double().softmax(1)
    targets = functional.one_hot(answers.labels).double()
    joint = targets.T @ own / len(own)
    given = joint / joint.sum(0).clamp_min(1e-300)
    return float((own @ given.T * targets).sum(1).clamp_min(1e-300).log().mean())


def h_score(answers: Answers) -> float:
    """Return the H-score (Bao et al., ICIP 2019) with a shrunk covariance (Ibrahim et al., ECML 2022).

    It is the trace of the inverse covariance of features times the covariance of their class means.
    """
    from sklearn.covariance import ledoit_wolf

    features = answers.features.double() - answers.features.double().mean(0)
    covariance, shrinkage = ledoit_wolf(features.numpy(), assume_centered=True)
    labels = functional.one_hot(answers.labels).double()
    means = labels.T @ features / labels.sum(0)[:, None]
    between = (means.T * labels.mean(0)) @ means
    size = len(covariance)
    regular = torch.from_numpy(covariance) + 1e-9 * (np.trace(covariance) / size + 1e-12) * torch.eye(size)
    return float((1 - shrinkage) * torch.linalg.solve(regular, between).trace())


def nearest_mean(answers: Answers) -> float:
    """Return the share of images whose features are nearest, by cosine, to the mean of their class's *other* images."""
    features = functional.normalize(answers.features.double(), dim=1)
    labels = functional.one_hot(answers.labels).double()
    sums = labels.T @ features  # the length of a class's mean does not matter
    cosines = features @ functional.normalize(sums, dim=1).T
    own = functional.normalize(sums[answers.labels] - features, dim=1)
    cosines[torch.arange(len(features)), answers.labels] = (own * features).sum(1)
    return float((cosines.argmax(1) == answers.labels).double().mean())


SCORES: dict[str, Callable[[Answers], float]] = {
    "nearest-mean": nearest_mean,
    "logme": logme,
    "leep": leep,
    "h-score": h_score,
}


def score(name: str, answers: Answers) -> float:
    """Return a score by name; -inf if it cannot be computed."""
    if not (answers.features.isfinite().all() and answers.logits.isfinite().all()):
        return -np.inf
    value = SCORES[name](answers)
    return value if np.isfinite(value) else -np.inf
