"""Heads for new tasks: Bayesian inference of class means in the feature space of the body.

The prior of a class mean, a guess and its covariance, is learned on the classes that the zoo knows: it is predicted
from the class's CLIP features, or its name. The likelihood comes from the features of the task's images. So the
posterior mean follows the guess with few images, and the images with many. Where the images of a task lie further from
the guess than those of known classes, the prior is widened: CLIP may not know the classes. The head is the linear
discriminant of the posterior means, scaled to reach the requested loss.
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
# Chosen on validation images of classes left out of a body's training (docs/studies/conditional-sampling).
PRIOR_IMAGES = 150  # the scatter of known classes has the weight of this many of the task's images
ROUND_IMAGES = 200  # images per class at which the scatter and a spherical one have equal weight
MOST_DOUBT = 100.0  # largest factor that widens the prior


@dataclass
class KnownClasses:
    """Features of the K classes that the zoo saw.

    Attributes:
        clips: CLIP features of training images (K, n, Z); as many of each class as the smallest has.
        bodies: the same images' features in the body's space (K, n, F).
        validation: validation images' features there (K, m, F). The body was not trained on them, like on those of
            new classes.
        texts: features of the classes' names (K, Z), or None.
    """

    clips: torch.Tensor
    bodies: torch.Tensor
    validation: torch.Tensor
    texts: torch.Tensor | None

    def only(self, rows: torch.Tensor) -> "KnownClasses":
        texts = None if self.texts is None else self.texts[rows]
        return KnownClasses(self.clips[rows], self.bodies[rows], self.validation[rows], texts)

    def heard(self, images: torch.Tensor) -> torch.Tensor:
        """Return CLIP features of each class (K, Z): the mean over ``images``, or those of its name for no images."""
        return self.clips[:, images].mean(1) if len(images) else self.texts

    def scatter(self) -> torch.Tensor:
        """Return the covariance (F, F) of images around their class's mean."""
        apart = self.validation - self.validation.mean(1, keepdim=True)
        freedom = len(apart) * max(apart.shape[1] - 1, 1)
        return apart.flatten(0, 1).T @ apart.flatten(0, 1) / freedom


def fit_guess(known: KnownClasses, count: int, penalty: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return slope and intercept from the CLIP features of a class, by ``count`` images, to its mean in the body."""
    generator = torch.Generator().manual_seed(seed)
    total = known.clips.shape[1]
    repeats = SUBSETS if 0 < count < total else 1
    draws = [torch.randperm(total, generator=generator)[:count] for _ in range(repeats)]
    inputs = torch.cat([known.heard(images) for images in draws])
    # The penalty per class must not depend on the number of subsets in the regression.
    targets = known.validation.mean(1).repeat(repeats, 1)
    from sklearn.linear_model import Ridge  # its import takes most of a second, and loading a head does not need it

    fitted = Ridge(penalty * repeats).fit(inputs.numpy(), targets.numpy())
    return torch.from_numpy(fitted.coef_.T.copy()), torch.from_numpy(fitted.intercept_)


@dataclass
class Inference:
    """Infers heads from a given number of images.

    Attributes:
        slope: of the guess (Z, F), see ``fit_guess``.
        intercept: of the guess (F,).
        doubt: covariance (F, F) of class means around their guess, for classes left out.
        scatter: see ``KnownClasses.scatter``.
        curve: mean cross-entropy (nats) on validation images of tasks left out, at each of ``SCALES``.
        accuracy: on these images.
    """

    slope: torch.Tensor
    intercept: torch.Tensor
    doubt: torch.Tensor
    scatter: torch.Tensor
    curve: torch.Tensor
    accuracy: float

    def posterior(self, heard: torch.Tensor, images: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the posterior means (C, F) of a task's classes and the covariance (F, F) of each.

        With a guess m of covariance G, and the mean x of n images of scatter S, the gain is g G (g G + S / n)^-1. The
        factor g is 1 for classes like the known ones, and grows as |x - m|² exceeds what G and S explain.

        Args:
            heard: CLIP features of the classes (C, Z).
            images: features in the body's space (n, F) of each class's images; without images the guess is returned.
        """
        guess = heard @ self.slope + self.intercept
        if not len(images[0]):
            return guess, self.doubt
        means = torch.stack([one.mean(0) for one in images])
        noise = self.scatter_of(images) / min(len(one) for one in images)
        excess = (means - guess).square().sum(1).mean() - noise.trace()
        doubt = (excess / self.doubt.trace()).clamp(1.0, MOST_DOUBT) * self.doubt
        gain = torch.linalg.solve(doubt + noise, doubt)
        return guess + (means - guess) @ gain, doubt - doubt @ gain

    def scatter_of(self, images: list[torch.Tensor]) -> torch.Tensor:
        """Return the scatter (F, F) of a task's images, with that of known classes as ``PRIOR_IMAGES`` more images."""
        if not len(images[0]):
            return self.scatter
        apart = torch.cat([one - one.mean(0) for one in images])
        freedom = len(apart) - len(images)
        return (PRIOR_IMAGES * self.scatter + apart.T @ apart) / (PRIOR_IMAGES + freedom)

    def head(self, means: torch.Tensor, images: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return weight (C, F) and bias (C,) of the linear discriminant of class means (C, F); equal class chances.

        The fewer images, the closer to spherical the scatter: without images, the nearest mean wins.
        """
        scatter = self.scatter_of(images)
        fewest = min(len(one) for one in images)
        share = fewest / (fewest + ROUND_IMAGES)
        spherical = scatter.diagonal().mean() * torch.eye(len(scatter), dtype=scatter.dtype)
        weight = torch.linalg.solve(share * scatter + (1 - share) * spherical, means.T).T
        bias = -(weight * means).sum(1) / 2
        return weight - weight.mean(0), bias - bias.mean()  # the same for all classes: no prediction changes


def fit_inference(known: KnownClasses, count: int, classes_per_task: int, seed: int) -> Inference:
    """Fit for ``count`` images per class, with the penalty chosen on classes left out.

    Whole classes are left out in turn. The penalty with the smallest squared error of their guesses is taken. Random
    tasks of these classes, with heads from training images, give ``curve`` and ``accuracy`` on validation images.
    """
    total, first = len(known.clips), torch.arange(count)
    folds = [(known.only(_others(total, out)), known.only(out)) for out in _folds(total, classes_per_task, seed)]
    guesses = {penalty: [fit_guess(kept, count, penalty, seed) for kept, _ in folds] for penalty in PENALTIES}
    errors = {
        penalty: torch.cat(
            [
                left.validation.mean(1) - left.heard(first) @ slope - intercept
                for (_, left), (slope, intercept) in zip(folds, guesses[penalty], strict=True)
            ]
        )
        for penalty in PENALTIES
    }
    best = min(PENALTIES, key=lambda penalty: errors[penalty].square().sum().item())
    doubt = errors[best].T @ errors[best] / len(errors[best])
    doubt = 0.5 * doubt + 0.5 * torch.diag(doubt.diagonal())  # shrunk, since there are few classes and many features
    parts = {"doubt": _regular(doubt), "scatter": _regular(known.scatter())}
    parts |= {"curve": torch.zeros(len(SCALES)), "accuracy": 0.0}
    for number, (_, left) in enumerate(folds):
        inference = Inference(*guesses[best][number], **parts)
        for task in _tasks(len(left.clips), classes_per_task, seed + number):
            images = list(left.bodies[task][:, :count])
            weight, bias = inference.head(inference.posterior(left.heard(first)[task], images)[0], images)
            logits = (left.validation[task] @ weight.T + bias).flatten(0, 1)
            labels = torch.arange(len(task)).repeat_interleave(left.validation.shape[1])
            share = 1 / (TASKS * len(folds))
            parts["accuracy"] += share * (logits.argmax(1) == labels).float().mean().item()
            parts["curve"] = parts["curve"] + share * loss_curve(logits, labels)
    log.info("%d images per class: penalty %g, accuracy left out %.3f", count, best, parts["accuracy"])
    return Inference(*fit_guess(known, count, best, seed), **parts)


def _regular(covariance: torch.Tensor) -> torch.Tensor:
    return covariance + 1e-6 * (covariance.diagonal().mean() + 1e-12) * torch.eye(len(covariance))


def _others(total: int, out: torch.Tensor) -> torch.Tensor:
    return torch.tensor([row for row in range(total) if row not in set(out.tolist())])


def _folds(total: int, least: int, seed: int) -> list[torch.Tensor]:
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    # Folds of equal size: one class alone has no task, and no loss.
    return list(order.tensor_split(max(2, min(FOLDS, total // least))))


def _tasks(total: int, size: int, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    size = min(size, total)
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
    """Return the scale of a head at which it has the requested loss, or its lowest loss where that is out of reach.

    Scaling a head up from 0 takes its loss from log C down to a minimum, as training does.
    """
    best = int(curve.argmin())
    falling = curve[: best + 1].numpy()
    if loss <= falling[-1]:
        return float(SCALES[best])
    # Ascending losses for interpolation; above the first, the head is nearly zero.
    return float(np.exp(np.interp(loss, falling[::-1], np.log(SCALES[: best + 1].numpy())[::-1])))
