"""Heads inferred for classes never seen, on Gaussian classes whose truth is known."""

import numpy as np
import pytest
import torch

from wsl.sampling.head import SCALES, KnownClasses, cosine_head, fit_inference

SIZE, IMAGES, WITHIN = 6, 40, 3.0


def gaussians(count, seed=0):
    """Classes and their true means: bodies see them through noise, CLIP with less of it, texts without any."""
    draw = torch.Generator().manual_seed(seed)
    means = 2 * torch.randn(count, SIZE, generator=draw)
    turn = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(99)))[0]

    def noisy(images, deviation):
        return means[:, None] + deviation * torch.randn(count, images, SIZE, generator=draw)

    clips = noisy(IMAGES, 2.0) @ turn
    known = KnownClasses(noisy(IMAGES, WITHIN), clips, validation=noisy(30, WITHIN), texts=means @ turn)
    return known, means


def seen(known, count):
    if count == 0:
        return known.texts
    return torch.cat([known.bodies[:, :count].mean(1), known.clips[:, :count].mean(1)], dim=1)


def error(found, means):
    return ((found - means) ** 2).sum(1).mean().sqrt().item()


@pytest.mark.parametrize("count", [1, 4])
def test_inferred_means_are_closer_to_the_truth_than_those_of_few_images(count):
    fitted = fit_inference(gaussians(60)[0], count, 3, seed=0)
    new, means = gaussians(80, seed=5)
    inferred = seen(new, count) @ fitted.slope + fitted.intercept
    assert error(inferred, means) < 0.75 * error(new.bodies[:, :count].mean(1), means)


@pytest.mark.parametrize("count", [0, 2])
def test_accuracy_and_loss_foretell_those_of_new_classes(count):
    fitted = fit_inference(gaussians(60)[0], count, 3, seed=0)
    new, _ = gaussians(120, seed=5)
    means = seen(new, count) @ fitted.slope + fitted.intercept
    right, losses = [], []
    for task in torch.arange(120).view(40, 3):
        logits = (new.validation[task].flatten(0, 1) @ cosine_head(means[task]).T).double()
        labels = torch.arange(3).repeat_interleave(30)
        right.append((logits.argmax(1) == labels).double().mean().item())
        losses.append(torch.nn.functional.cross_entropy(logits, labels).item())
    assert fitted.accuracy == pytest.approx(np.mean(right), abs=0.05)
    assert SCALES[50] == 1
    assert fitted.curve[50].item() == pytest.approx(np.mean(losses), abs=0.1)


def test_spread_is_that_of_the_truth_about_what_is_inferred():
    fitted = fit_inference(gaussians(60)[0], 2, 3, seed=0)
    new, means = gaussians(400, seed=5)
    errors = means - (seen(new, 2) @ fitted.slope + fitted.intercept)
    covariance = fitted.spread @ fitted.spread.T
    assert covariance.trace().item() == pytest.approx((errors**2).sum(1).mean().item(), rel=0.25)
    assert torch.equal(fitted.spread, fitted.spread.tril())


def test_classes_left_out_are_no_part_of_their_own_fit():
    known, means = gaussians(12)
    # Texts that say which class it is and nothing else: perfect where a class was seen, and worthless where not.
    known.texts = 1000 * torch.eye(12)
    known.bodies, known.validation = 20 * known.bodies, 20 * known.validation
    fitted = fit_inference(known, 0, 3, seed=0)
    own = known.texts @ fitted.slope + fitted.intercept
    assert error(own, known.bodies.mean(1)) < 0.1 * error(known.bodies.mean((0, 1)), known.bodies.mean(1))
    assert fitted.accuracy == pytest.approx(1 / 3, abs=0.02)
    assert (fitted.spread @ fitted.spread.T).trace() > 0.5 * (400 * means.var(0).sum())


@pytest.mark.parametrize("classes", [6, 10, 13, 21])
def test_every_fold_has_classes_enough_for_a_task(classes):
    # A head of nearly zeros has the loss log 3 where a task has three classes, and less where it has fewer.
    assert fit_inference(gaussians(classes)[0], 2, 3, seed=0).curve[0].item() == pytest.approx(np.log(3), abs=0.03)


def test_the_same_seed_gives_the_same_and_more_images_than_there_are_count_as_all():
    known = gaussians(10)[0]
    first, again, most = (fit_inference(known, count, 3, seed=4) for count in (3, 3, IMAGES))
    assert torch.equal(first.slope, again.slope) and torch.equal(first.curve, again.curve)
    assert most.accuracy > first.accuracy - 0.02
