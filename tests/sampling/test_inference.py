"""Inference fitted on known classes and used on new ones, on Gaussian classes whose truth is known."""

import numpy as np
import pytest
import torch

from wsl.sampling.head import SCALES, KnownClasses, fit_inference

SIZE, IMAGES, WITHIN = 6, 40, 3.0


def gaussians(count, seed=0):
    """Classes and their true means: bodies see them through noise, CLIP with less of it, texts without any."""
    draw = torch.Generator().manual_seed(seed)
    means = 2 * torch.randn(count, SIZE, generator=draw)
    turn = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(99)))[0]

    def noisy(images, deviation):
        return means[:, None] + deviation * torch.randn(count, images, SIZE, generator=draw)

    clips = noisy(IMAGES, 2.0) @ turn
    known = KnownClasses(clips, noisy(IMAGES, WITHIN), validation=noisy(30, WITHIN), texts=means @ turn)
    return known, means


def inferred(fitted, known, count, rows=slice(None)):
    """Posterior means of classes, three at a time as tasks are, and those of their images alone."""
    heard = known.clip_features(torch.arange(count))[rows]
    images = known.bodies[rows][:, :count]
    tasks = torch.arange(len(heard)).split(3)
    means = torch.cat([fitted.posterior(heard[task], list(images[task]))[0] for task in tasks])
    return means, images.mean(1)


def error(found, means):
    return ((found - means) ** 2).sum(1).mean().sqrt().item()


@pytest.mark.parametrize("count", [1, 4])
def test_inferred_means_are_closer_to_the_truth_than_those_of_few_images(count):
    fitted = fit_inference(gaussians(60)[0], count, 3, seed=0)
    new, means = gaussians(80, seed=5)
    found, alone = inferred(fitted, new, count)
    assert error(found, means) < 0.75 * error(alone, means)


@pytest.mark.parametrize("count", [0, 2])
def test_accuracy_and_loss_foretell_those_of_new_classes(count):
    fitted = fit_inference(gaussians(60)[0], count, 3, seed=0)
    new, _ = gaussians(120, seed=5)
    right, losses = [], []
    for task in torch.arange(120).view(40, 3):
        images = list(new.bodies[task][:, :count])
        means, _ = fitted.posterior(new.clip_features(torch.arange(count))[task], images)
        weight, bias = fitted.head(means, images)
        logits = (new.validation[task].flatten(0, 1) @ weight.T + bias).double()
        labels = torch.arange(3).repeat_interleave(30)
        right.append((logits.argmax(1) == labels).double().mean().item())
        losses.append(torch.nn.functional.cross_entropy(logits, labels).item())
    assert fitted.accuracy == pytest.approx(np.mean(right), abs=0.05)
    assert SCALES[50] == 1
    assert fitted.curve[50].item() == pytest.approx(np.mean(losses), abs=0.1)


def test_doubt_is_that_of_the_truth_about_the_guess():
    fitted = fit_inference(gaussians(60)[0], 2, 3, seed=0)
    new, means = gaussians(400, seed=5)
    guess = new.clip_features(torch.arange(2)) @ fitted.slope + fitted.intercept
    # What a guess is held against is a mean of 30 validation images, not the truth.
    expected = ((means - guess) ** 2).sum(1).mean().item() + SIZE * WITHIN**2 / 30
    assert fitted.doubt.trace().item() == pytest.approx(expected, rel=0.25)
    assert fitted.scatter.trace().item() == pytest.approx(SIZE * WITHIN**2, rel=0.1)


def test_posterior_covariance_is_that_of_the_truth_about_what_is_inferred():
    fitted = fit_inference(gaussians(60)[0], 2, 3, seed=0)
    new, means = gaussians(600, seed=5)
    found, _ = inferred(fitted, new, 2)
    _, covariance = fitted.posterior(new.clip_features(torch.arange(2))[:3], list(new.bodies[:3, :2]))
    assert covariance.trace().item() == pytest.approx(error(found, means) ** 2, rel=0.35)


def test_classes_left_out_are_no_part_of_their_own_fit():
    known, means = gaussians(12)
    # Texts that say which class it is and nothing else: perfect where a class was seen, and worthless where not.
    known.texts = 1000 * torch.eye(12)
    known.bodies, known.validation = 20 * known.bodies, 20 * known.validation
    fitted = fit_inference(known, 0, 3, seed=0)
    own, seen = known.texts @ fitted.slope + fitted.intercept, known.validation.mean(1)
    assert error(own, seen) < 0.1 * error(seen.mean(0), seen)
    assert fitted.accuracy == pytest.approx(1 / 3, abs=0.02)
    assert fitted.doubt.trace() > 0.5 * (400 * means.var(0).sum())
