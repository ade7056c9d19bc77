"""Heads for new tasks: Bayesian inference of class means in the feature space of the body.

A regression on the zoo's classes predicts the prior of a class mean (a guess and its covariance) from the class's CLIP
features or name. The features of the task's images give the likelihood. The posterior mean is near the guess for few
images, and near the images' mean for many. If the images are further from the guess than those of known classes, the
prior is widened, since CLIP may not know the classes. The head is the linear discriminant of the posterior means,
scaled to reach the requested loss.
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

log = logging.getLogger(__name__)
SCALES = torch.logspace(-2.5, 1.5, 81)  # of heads
PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0)
SUBSETS = 20  # random sets of n images per class in each regression
FOLDS = 5
TASKS = 40  # random tasks per fold
# Chosen on validation images of classes that a body was not trained on (docs/studies/conditional-sampling).
PRIOR_IMAGES = 150  # images of the task at which its scatter and that of known classes have equal weight
ROUND_IMAGES = 200  # images per class at which the scatter and a spherical scatter have equal weight
MOST_DOUBT = 100.0  # largest factor that widens the prior


@dataclass
class KnownClasses:
    """Features of the K classes that the zoo saw."""

    clips: torch.Tensor  # CLIP features of training images (K, n, Z), with n the number of the smallest class
    bodies: torch.Tensor  # features of the same images in the body (K, n, F)
    validation: torch.Tensor  # features of validation images in the body (K, m, F), not trained on, like new classes
    texts: torch.Tensor | None  # CLIP features of the classes' names (K, Z)

    def only(self, rows: torch.Tensor) -> "KnownClasses":
        texts = None if self.texts is None else self.texts[rows]
        return KnownClasses(self.clips[rows], self.bodies[rows], self.validation[rows], texts)

    def clip_features(self, images: torch.Tensor) -> torch.Tensor:
        """Return CLIP features of each class (K, Z): the mean over ``images``, or those of its name without images."""
        return self.clips[:, images].mean(1) if len(images) else self.texts

    def scatter(self) -> torch.Tensor:
        """Return the covariance (F, F) of images around their class's mean."""
        deviations = self.validation - self.validation.mean(1, keepdim=True)
        freedom = len(deviations) * max(deviations.shape[1] - 1, 1)
        return deviations.flatten(0, 1).T @ deviations.flatten(0, 1) / freedom


def fit_guess(known: KnownClasses, count: int, penalty: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return slope and intercept of the regression of a class's mean in the body on its CLIP features.

    Args:
        known: classes to fit to.
        count: images per class that CLIP features are averaged over; 0: features of the name.
        penalty: of the ridge regression, per class.
        seed: of the subsets of images.
    """
    generator = torch.Generator().manual_seed(seed)
    total = known.clips.shape[1]
    repeats = SUBSETS if 0 < count < total else 1
    draws = [torch.randperm(total, generator=generator)[:count] for _ in range(repeats)]
    inputs = torch.cat([known.clip_features(images) for images in draws])
    targets = known.validation.mean(1).repeat(repeats, 1)
    from sklearn.linear_model import Ridge  # a slow import, which loading a head does not need

    # `repeats` keeps the penalty per class independent of the number of subsets.
    fitted = Ridge(penalty * repeats).fit(inputs.numpy(), targets.numpy())
    return torch.from_numpy(fitted.coef_.T.copy()), torch.from_numpy(fitted.intercept_)


@dataclass
class Inference:
    """Infers heads from a given number of images."""

    slope: torch.Tensor  # of the guess (Z, F), see ``fit_guess``
    intercept: torch.Tensor  # of the guess (F,)
    doubt: torch.Tensor  # covariance (F, F) of class means around their guess, in cross-validation over classes
    scatter: torch.Tensor  # see ``KnownClasses.scatter``
    curve: torch.Tensor  # mean cross-entropy (nats) on images of held-out classes, at each of ``SCALES``
    accuracy: float  # on these images

    def posterior(self, clip_features: torch.Tensor, images: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the posterior means (C, F) of a task's classes and the covariance (F, F) of each.

        With a guess m of covariance G, and the mean x of n images of scatter S, the gain is g G (g G + S / n)^-1. The
        factor g is 1 for classes like the known ones, and grows as |x - m|² exceeds what G and S explain.

        Args:
            clip_features: of the classes (C, Z).
            images: features in the body (n, F) of each class's images; without images the guess is returned.
        """
        guess = clip_features @ self.slope + self.intercept
        if not len(images[0]):
            return guess, self.doubt
        means = torch.stack([rows.mean(0) for rows in images])
        noise = self.scatter_of(images) / min(map(len, images))
        excess = (means - guess).square().sum(1).mean() - noise.trace()
        doubt = (excess / self.doubt.trace()).clamp(1.0, MOST_DOUBT) * self.doubt
        gain = torch.linalg.solve(doubt + noise, doubt)
        return guess + (means - guess) @ gain, doubt - doubt @ gain

    def scatter_of(self, images: list[torch.Tensor]) -> torch.Tensor:
        """Return the scatter (F, F) of a task's images, mixed with that of known classes, see ``PRIOR_IMAGES``."""
        if not len(images[0]):
            return self.scatter
        deviations = torch.cat([rows - rows.mean(0) for rows in images])
        freedom = len(deviations) - len(images)
        return (PRIOR_IMAGES * self.scatter + deviations.T @ deviations) / (PRIOR_IMAGES + freedom)

    def head(self, means: torch.Tensor, images: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return weight (C, F) and bias (C,) of the linear discriminant of class means (C, F) with equal priors.

        With fewer images the scatter is closer to spherical: without images, the nearest mean wins.
        """
        scatter, fewest = self.scatter_of(images), min(map(len, images))
        share = fewest / (fewest + ROUND_IMAGES)
        spherical = scatter.diagonal().mean() * torch.eye(len(scatter), dtype=scatter.dtype)
        weight = torch.linalg.solve(share * scatter + (1 - share) * spherical, means.T).T
        bias = -(weight * means).sum(1) / 2
        return weight - weight.mean(0), bias - bias.mean()  # subtracts the same from all logits


def fit_inference(known: KnownClasses, count: int, classes_per_task: int, seed: int) -> Inference:
    """Fit the inference for ``count`` images per class, by cross-validation over classes.

    The penalty has the smallest squared error of guesses for held-out classes. Random tasks of these classes, with
    heads from training images, give ``curve`` and ``accuracy`` on validation images.

    Args:
        known: classes to fit to.
        count: images per class; 0: names.
        classes_per_task: classes of a random task.
        seed: of subsets, folds and tasks.
    """
    total, first = len(known.clips), torch.arange(count)
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    # Folds of equal size, since a single class is not a task.
    parts = order.tensor_split(max(2, min(FOLDS, total // classes_per_task)))
    folds = [(known.only(_others(total, part)), known.only(part)) for part in parts]
    guesses = {penalty: [fit_guess(kept, count, penalty, seed) for kept, _ in folds] for penalty in PENALTIES}
    errors = {
        penalty: torch.cat(
            [
                left.validation.mean(1) - left.clip_features(first) @ slope - intercept
                for (_, left), (slope, intercept) in zip(folds, guesses[penalty], strict=True)
            ]
        )
        for penalty in PENALTIES
    }
    best = min(PENALTIES, key=lambda penalty: errors[penalty].square().sum().item())
    doubt = errors[best].T @ errors[best] / len(errors[best])
    doubt = 0.5 * doubt + 0.5 * torch.diag(doubt.diagonal())  # shrunk, since there are few classes and many features
    fitted = {"doubt": _regular(doubt), "scatter": _regular(known.scatter())}
    fitted |= {"curve": torch.zeros(len(SCALES)), "accuracy": 0.0}
    for number, (_, left) in enumerate(folds):
        inference = Inference(*guesses[best][number], **fitted)
        for task in _tasks(len(left.clips), classes_per_task, seed + number):
            images = list(left.bodies[task][:, :count])
            means, _ = inference.posterior(left.clip_features(first)[task], images)
            weight, bias = inference.head(means, images)
            logits = (left.validation[task] @ weight.T + bias).flatten(0, 1)
            labels = torch.arange(len(task)).repeat_interleave(left.validation.shape[1])
            share = 1 / (TASKS * len(folds))
            fitted["accuracy"] += share * (logits.argmax(1) == labels).float().mean().item()
            fitted["curve"] = fitted["curve"] + share * loss_curve(logits, labels)
    log.info("%d images per class: penalty %g, accuracy on held-out classes %.3f", count, best, fitted["accuracy"])
    return Inference(*fit_guess(known, count, best, seed), **fitted)


def _regular(covariance: torch.Tensor) -> torch.Tensor:
    return covariance + 1e-6 * (covariance.diagonal().mean() + 1e-12) * torch.eye(len(covariance))


def _others(total: int, rows: torch.Tensor) -> torch.Tensor:
    others = torch.ones(total, dtype=torch.bool)
    others[rows] = False
    return others.nonzero().flatten()


def _tasks(total: int, size: int, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randperm(total, generator=generator)[:size] for _ in range(TASKS)]


def loss_curve(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy (nats) of logits (n, C) at each of ``SCALES``."""
    scaled = SCALES[:, None, None] * logits
    return (
        functional.cross_entropy(scaled.flatten(0, 1), labels.repeat(len(SCALES)), reduction="none")
        .view(len(SCALES), -1)
        .mean(1)
    )


def scale_for(loss: float, curve: torch.Tensor) -> float:
    """Return the scale at which a head has the requested loss, or its lowest loss if it cannot reach the requested one.

    As the scale grows from 0, the loss falls from log C to a minimum.
    """
    best = int(curve.argmin())
    falling = curve[: best + 1].numpy()
    if loss <= falling[-1]:
        return float(SCALES[best])
    # np.interp needs ascending losses; above the largest, the head is nearly zero.
    return float(np.exp(np.interp(loss, falling[::-1], np.log(SCALES[: best + 1].numpy())[::-1])))
