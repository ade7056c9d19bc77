"""Inference and scale of heads against scikit-learn, scipy and other forms of the equations."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.covariance import empirical_covariance
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss

from wsl.sampling.head import (
    PRIOR_IMAGES,
    SCALES,
    Inference,
    KnownClasses,
    fit_guess,
    fit_inference,
    loss_curve,
    scale_for,
)

FEATURES, CLIP = 5, 4
SIZE, IMAGES, WITHIN = 6, 40, 3.0
MIXING = torch.randn(FEATURES, FEATURES, generator=torch.Generator().manual_seed(1)) + torch.eye(FEATURES)


def covariance(seed):
    root = torch.randn(FEATURES, 8, generator=torch.Generator().manual_seed(seed))
    return root @ root.T / 8


@pytest.fixture
def inference():
    """An inference whose guess is the CLIP features plus 1, with arbitrary covariances."""
    slope = torch.eye(CLIP, FEATURES)
    unused = torch.zeros(len(SCALES))
    return Inference(slope, torch.ones(FEATURES), covariance(2), 4 * covariance(3), unused, 0.0)


def drawn(inference, count, classes=3, doubt=1.0):
    """CLIP features of classes, their means and their images, drawn from the model."""
    clip = torch.randn(classes, CLIP)
    deviations = torch.randn(classes, FEATURES) @ torch.linalg.cholesky(doubt * inference.doubt).T
    means = clip @ inference.slope + inference.intercept + deviations
    scattered = torch.randn(classes, count, FEATURES) @ torch.linalg.cholesky(inference.scatter).T
    return clip, means, list(means[:, None] + scattered)


def test_the_penalty_per_class_does_not_depend_on_the_number_of_subsets():
    """If the images of a class are equal, all subsets are, and the regression is over classes."""
    torch.manual_seed(0)
    clips = torch.randn(6, 1, CLIP).expand(-1, 8, -1)
    bodies = torch.randn(6, 8, FEATURES)
    slope, intercept = fit_guess(KnownClasses(clips, bodies, bodies, None), 3, 2.5, seed=0)
    expected = Ridge(alpha=2.5).fit(clips[:, 0].numpy(), bodies.mean(1).numpy())
    np.testing.assert_allclose(slope.T, expected.coef_, atol=1e-5)
    np.testing.assert_allclose(intercept, expected.intercept_, atol=1e-5)


def test_the_posterior_is_bayes_rule_by_precisions(inference):
    torch.manual_seed(0)
    clip, _, images = drawn(inference, 4)
    means, spread = inference.posterior(clip, images)
    scatter = inference.scatter_of(images).double()
    observed = torch.stack([rows.mean(0) for rows in images]).double()
    guess = (clip @ inference.slope + inference.intercept).double()
    excess = ((observed - guess) ** 2).sum(1).mean() - scatter.trace() / 4
    doubt = max(1.0, (excess / inference.doubt.trace()).item()) * inference.doubt.double()
    by_guess, by_images = torch.linalg.inv(doubt), 4 * torch.linalg.inv(scatter)
    precision = by_guess + by_images
    expected = torch.linalg.solve(precision, by_guess @ guess.T + by_images @ observed.T)
    np.testing.assert_allclose(means, expected.T, atol=1e-3)
    np.testing.assert_allclose(spread, torch.linalg.inv(precision), atol=1e-3)


def test_the_posterior_is_closer_to_the_truth_than_guess_or_images_alone(inference):
    torch.manual_seed(1)
    errors = {"posterior": 0.0, "guess": 0.0, "images": 0.0}
    for _ in range(200):
        clip, truth, images = drawn(inference, 3)
        estimates = {"posterior": inference.posterior(clip, images)[0], "guess": clip @ inference.slope + 1}
        estimates["images"] = torch.stack([rows.mean(0) for rows in images])
        for name, means in estimates.items():
            errors[name] += (means - truth).square().sum().item()
    assert errors["posterior"] < 0.8 * min(errors["guess"], errors["images"])


def test_the_posterior_is_the_guess_without_images_and_their_mean_with_many(inference):
    clip, _, images = drawn(inference, 5000)
    guess = clip @ inference.slope + inference.intercept
    none = [torch.empty(0, FEATURES)] * 3
    assert torch.equal(inference.posterior(clip, none)[0], guess)
    observed = torch.stack([rows.mean(0) for rows in images])
    np.testing.assert_allclose(inference.posterior(clip, images)[0], observed, atol=0.01)


def test_the_prior_is_widened_if_images_are_far_from_the_guess(inference):
    torch.manual_seed(2)
    clip, _, images = drawn(inference, 3, doubt=60.0)
    observed = torch.stack([rows.mean(0) for rows in images])
    means, _ = inference.posterior(clip, images)
    guess = clip @ inference.slope + inference.intercept
    assert (means - observed).norm() < 0.2 * (guess - observed).norm()


def test_scatter_is_a_mixture_of_the_tasks_and_that_of_known_classes(inference):
    _, _, images = drawn(inference, 30)
    of_task = np.mean([empirical_covariance(rows.numpy()) for rows in images], axis=0) * 30 / 29
    expected = (PRIOR_IMAGES * inference.scatter.numpy() + 87 * of_task) / (PRIOR_IMAGES + 87)
    np.testing.assert_allclose(inference.scatter_of(images), expected, rtol=1e-4, atol=1e-5)


def test_without_priors_the_head_is_scikit_learns_linear_discriminant(inference, monkeypatch):
    monkeypatch.setattr("wsl.sampling.head.PRIOR_IMAGES", 0)
    monkeypatch.setattr("wsl.sampling.head.ROUND_IMAGES", 0)
    _, _, images = drawn(inference, 40)
    x = torch.cat(images).numpy()
    expected = LinearDiscriminantAnalysis("lsqr", priors=[1 / 3] * 3).fit(x, np.repeat(range(3), 40))
    weight, bias = inference.head(torch.stack([rows.mean(0) for rows in images]), images)
    # scikit-learn's covariance is divided by n, not by n minus the number of means.
    logits = (torch.from_numpy(x) @ weight.T + bias) * 120 / 117
    np.testing.assert_allclose(logits.softmax(1), expected.predict_proba(x), atol=1e-3)


def test_without_images_the_head_chooses_the_nearest_mean(inference):
    means, none = torch.randn(3, FEATURES), [torch.empty(0, FEATURES)] * 3
    x = torch.randn(200, FEATURES)
    weight, bias = inference.head(means, none)
    assert torch.equal((x @ weight.T + bias).argmax(1), torch.cdist(x, means).argmin(1))
    spherical = inference.scatter.diagonal().mean().item() * np.eye(FEATURES)
    densities = np.stack([multivariate_normal(mean, spherical).pdf(x.numpy()) for mean in means.numpy()], axis=1)
    chances = densities / densities.sum(1, keepdims=True)
    np.testing.assert_allclose((x @ weight.T + bias).softmax(1), chances, atol=1e-4)


@pytest.fixture(scope="module")
def known():
    """Twelve classes whose CLIP features are their first coordinates with a little noise."""
    torch.manual_seed(4)
    places = torch.randn(12, FEATURES) * 3
    clips = places[:, None, :CLIP] + 0.5 * torch.randn(12, 30, CLIP)
    images = places[:, None] + torch.randn(12, 50, FEATURES) @ MIXING
    return KnownClasses(clips, images[:, :30], images[:, 30:], places[:, :CLIP] + 0.1)


def test_doubt_is_large_if_clip_is_uninformative(known):
    noise = KnownClasses(torch.randn(12, 30, CLIP), known.bodies, known.validation, None)
    informative, uninformative = (fit_inference(classes, 5, 3, seed=0).doubt.trace() for classes in (known, noise))
    assert uninformative > 2 * informative


def test_scatter_is_that_of_validation_images(known):
    expected = np.mean([np.cov(rows.T) for rows in known.validation.double().numpy()], axis=0)
    np.testing.assert_allclose(known.scatter(), expected, rtol=1e-4, atol=1e-5)


def gaussians(count, seed=0):
    """Classes and their true means; features of bodies are noisy, those of CLIP less so, and texts are exact."""
    draw = torch.Generator().manual_seed(seed)
    means = 2 * torch.randn(count, SIZE, generator=draw)
    turn = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(99)))[0]

    def noisy(images, deviation):
        return means[:, None] + deviation * torch.randn(count, images, SIZE, generator=draw)

    clips = noisy(IMAGES, 2.0) @ turn
    known = KnownClasses(clips, noisy(IMAGES, WITHIN), validation=noisy(30, WITHIN), texts=means @ turn)
    return known, means


def inferred(fitted, known, count, rows=slice(None)):
    """Posterior means of classes, three per task, and the means of their images alone."""
    clip = known.clip_features(torch.arange(count))[rows]
    images = known.bodies[rows][:, :count]
    tasks = torch.arange(len(clip)).split(3)
    means = torch.cat([fitted.posterior(clip[task], list(images[task]))[0] for task in tasks])
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
def test_accuracy_and_loss_predict_those_of_new_classes(count):
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


def test_doubt_is_that_of_the_truth_around_the_guess():
    fitted = fit_inference(gaussians(60)[0], 2, 3, seed=0)
    new, means = gaussians(400, seed=5)
    guess = new.clip_features(torch.arange(2)) @ fitted.slope + fitted.intercept
    # The guess is compared with the mean of 30 validation images, not with the truth.
    expected = ((means - guess) ** 2).sum(1).mean().item() + SIZE * WITHIN**2 / 30
    assert fitted.doubt.trace().item() == pytest.approx(expected, rel=0.25)
    assert fitted.scatter.trace().item() == pytest.approx(SIZE * WITHIN**2, rel=0.1)


def test_posterior_covariance_is_that_of_the_truth_around_the_posterior_mean():
    fitted = fit_inference(gaussians(60)[0], 2, 3, seed=0)
    new, means = gaussians(600, seed=5)
    found, _ = inferred(fitted, new, 2)
    _, covariance = fitted.posterior(new.clip_features(torch.arange(2))[:3], list(new.bodies[:3, :2]))
    assert covariance.trace().item() == pytest.approx(error(found, means) ** 2, rel=0.35)


def test_held_out_classes_do_not_influence_their_guess():
    known, means = gaussians(12)
    # Texts that only identify the class: perfect for classes of the fit, useless for others.
    known.texts = 1000 * torch.eye(12)
    known.bodies, known.validation = 20 * known.bodies, 20 * known.validation
    fitted = fit_inference(known, 0, 3, seed=0)
    guess, truth = known.texts @ fitted.slope + fitted.intercept, known.validation.mean(1)
    assert error(guess, truth) < 0.1 * error(truth.mean(0), truth)
    assert fitted.accuracy == pytest.approx(1 / 3, abs=0.02)
    assert fitted.doubt.trace() > 0.5 * (400 * means.var(0).sum())


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
def test_a_scaled_head_has_the_requested_loss(loss):
    logits, labels = logits_and_labels(0.8)
    assert achieved(scale_for(loss, loss_curve(logits, labels)), logits, labels) == pytest.approx(loss, abs=5e-3)


def test_a_loss_out_of_reach_gives_the_best_scale():
    logits, labels = logits_and_labels(0.8)
    scale = scale_for(0.01, loss_curve(logits, labels))
    lowest = min(achieved(other, logits, labels) for other in SCALES.tolist())
    assert achieved(scale, logits, labels) == pytest.approx(lowest) and lowest > 0.01


@pytest.mark.parametrize("loss", [np.log(3) + 0.01, 50.0])
def test_a_loss_above_chance_gives_the_smallest_head(loss):
    assert scale_for(loss, loss_curve(*logits_and_labels(0.8))) == pytest.approx(SCALES.min().item())


def test_a_head_worse_than_chance_gets_the_smallest_scale():
    logits, labels = logits_and_labels(0.0)
    assert scale_for(0.5, loss_curve(-logits, labels)) == pytest.approx(SCALES.min().item())
