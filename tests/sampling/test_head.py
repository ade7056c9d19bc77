"""Inference of class means and heads, against scikit-learn, scipy and the equations worked another way."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.covariance import empirical_covariance
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

from wsl.sampling.head import PRIOR_IMAGES, SCALES, Inference, KnownClasses, fit_guess, fit_inference

FEATURES, CLIP = 5, 4
MIXING = torch.randn(FEATURES, FEATURES, generator=torch.Generator().manual_seed(1)) + torch.eye(FEATURES)


def covariance(seed):
    root = torch.randn(FEATURES, 8, generator=torch.Generator().manual_seed(seed))
    return root @ root.T / 8


@pytest.fixture
def inference():
    """A guess by the first numbers of what CLIP says, doubted and scattered in directions of their own."""
    slope = torch.eye(CLIP, FEATURES)
    unused = torch.zeros(len(SCALES))
    return Inference(slope, torch.ones(FEATURES), covariance(2), 4 * covariance(3), unused, 0.0)


def drawn(inference, count, classes=3, doubt=1.0):
    """What CLIP says of classes, where they lie and their images, as the model has it."""
    heard = torch.randn(classes, CLIP)
    apart = torch.randn(classes, FEATURES) @ torch.linalg.cholesky(doubt * inference.doubt).T
    means = heard @ inference.slope + inference.intercept + apart
    scattered = torch.randn(classes, count, FEATURES) @ torch.linalg.cholesky(inference.scatter).T
    return heard, means, list(means[:, None] + scattered)


def test_a_penalty_is_on_a_class_however_many_subsets_of_its_images_are_seen():
    """Images of a class that are all alike make all subsets alike, and so the regression one of classes."""
    torch.manual_seed(0)
    clips = torch.randn(6, 1, CLIP).expand(-1, 8, -1)
    bodies = torch.randn(6, 8, FEATURES)
    slope, intercept = fit_guess(KnownClasses(clips, bodies, bodies, None), 3, 2.5, seed=0)
    expected = Ridge(alpha=2.5).fit(clips[:, 0].numpy(), bodies.mean(1).numpy())
    np.testing.assert_allclose(slope.T, expected.coef_, atol=1e-5)
    np.testing.assert_allclose(intercept, expected.intercept_, atol=1e-5)


def test_the_posterior_is_bayes_rule_by_precisions(inference):
    torch.manual_seed(0)
    heard, _, images = drawn(inference, 4)
    means, spread = inference.posterior(heard, images)
    scatter = inference.scatter_of(images).double()
    observed = torch.stack([one.mean(0) for one in images]).double()
    guess = (heard @ inference.slope + inference.intercept).double()
    excess = ((observed - guess) ** 2).sum(1).mean() - scatter.trace() / 4
    doubt = max(1.0, (excess / inference.doubt.trace()).item()) * inference.doubt.double()
    by_guess, by_images = torch.linalg.inv(doubt), 4 * torch.linalg.inv(scatter)
    precision = by_guess + by_images
    expected = torch.linalg.solve(precision, by_guess @ guess.T + by_images @ observed.T)
    np.testing.assert_allclose(means, expected.T, atol=1e-3)
    np.testing.assert_allclose(spread, torch.linalg.inv(precision), atol=1e-3)


def test_the_posterior_is_nearer_to_the_truth_than_guess_and_images_alone(inference):
    torch.manual_seed(1)
    errors = {"posterior": 0.0, "guess": 0.0, "images": 0.0}
    for _ in range(200):
        heard, truth, images = drawn(inference, 3)
        found = {"posterior": inference.posterior(heard, images)[0], "guess": heard @ inference.slope + 1}
        found["images"] = torch.stack([one.mean(0) for one in images])
        for name, means in found.items():
            errors[name] += (means - truth).square().sum().item()
    assert errors["posterior"] < 0.8 * min(errors["guess"], errors["images"])


def test_without_images_the_guess_stands_and_with_many_they_decide(inference):
    heard, _, images = drawn(inference, 5000)
    guess = heard @ inference.slope + inference.intercept
    none = [torch.empty(0, FEATURES)] * 3
    assert torch.equal(inference.posterior(heard, none)[0], guess)
    observed = torch.stack([one.mean(0) for one in images])
    np.testing.assert_allclose(inference.posterior(heard, images)[0], observed, atol=0.01)


def test_a_guess_that_is_far_off_is_doubted(inference):
    torch.manual_seed(2)
    heard, _, images = drawn(inference, 3, doubt=60.0)
    observed = torch.stack([one.mean(0) for one in images])
    means, _ = inference.posterior(heard, images)
    guess = heard @ inference.slope + inference.intercept
    assert (means - observed).norm() < 0.2 * (guess - observed).norm()


def test_scatter_mixes_the_tasks_own_with_that_of_known_classes(inference):
    _, _, images = drawn(inference, 30)
    own = np.mean([empirical_covariance(one.numpy()) for one in images], axis=0) * 30 / 29
    expected = (PRIOR_IMAGES * inference.scatter.numpy() + 87 * own) / (PRIOR_IMAGES + 87)
    np.testing.assert_allclose(inference.scatter_of(images), expected, rtol=1e-4, atol=1e-5)


def test_without_priors_the_head_is_scikit_learns_linear_discriminant(inference, monkeypatch):
    monkeypatch.setattr("wsl.sampling.head.PRIOR_IMAGES", 0)
    monkeypatch.setattr("wsl.sampling.head.ROUND_IMAGES", 0)
    _, _, images = drawn(inference, 40)
    x = torch.cat(images).numpy()
    theirs = LinearDiscriminantAnalysis("lsqr", priors=[1 / 3] * 3).fit(x, np.repeat(range(3), 40))
    weight, bias = inference.head(torch.stack([one.mean(0) for one in images]), images)
    # Its covariance is over n, and not over n less the number of means.
    ours, shrunk = torch.from_numpy(x) @ weight.T + bias, 120 / 117
    np.testing.assert_allclose((ours * shrunk).softmax(1), theirs.predict_proba(x), atol=1e-3)


def test_with_few_images_the_head_chooses_the_nearest_mean(inference):
    means, none = torch.randn(3, FEATURES), [torch.empty(0, FEATURES)] * 3
    x = torch.randn(200, FEATURES)
    weight, bias = inference.head(means, none)
    assert torch.equal((x @ weight.T + bias).argmax(1), torch.cdist(x, means).argmin(1))
    round_one = inference.scatter.diagonal().mean().item() * np.eye(FEATURES)
    densities = np.stack([multivariate_normal(mean, round_one).pdf(x.numpy()) for mean in means.numpy()], axis=1)
    chances = densities / densities.sum(1, keepdims=True)
    np.testing.assert_allclose((x @ weight.T + bias).softmax(1), chances, atol=1e-4)


@pytest.fixture(scope="module")
def known():
    """Twelve classes whose place CLIP tells but for a little noise."""
    torch.manual_seed(4)
    places = torch.randn(12, FEATURES) * 3
    clips = places[:, None, :CLIP] + 0.5 * torch.randn(12, 30, CLIP)
    images = places[:, None] + torch.randn(12, 50, FEATURES) @ MIXING
    return KnownClasses(clips, images[:, :30], images[:, 30:], places[:, :CLIP] + 0.1)


def test_doubt_is_large_where_clip_says_nothing(known):
    mute = KnownClasses(torch.randn(12, 30, CLIP), known.bodies, known.validation, None)
    telling, silent = (fit_inference(one, 5, 3, seed=0).doubt.trace() for one in (known, mute))
    assert silent > 2 * telling


def test_scatter_is_that_of_validation_images(known):
    expected = np.mean([np.cov(one.T) for one in known.validation.double().numpy()], axis=0)
    np.testing.assert_allclose(known.scatter(), expected, rtol=1e-4, atol=1e-5)
