"""Heads for tasks never trained: Bayesian inference of where a class lies in the body's space.

A guess and its doubt, both learnt on the classes that the zoo knows, say where the images of a class with such CLIP
features, or of such a name, should lie; the images at hand say where they do lie. The posterior mean leans on the guess
with few images and on the images with many. Where the images of a task lie further from the guess than known classes
do, the guess is trusted less: CLIP may not know the classes. A linear discriminant of the posterior means is the head.
"""

import logging
from dataclasses import dataclass

import torch

from wsl.sampling.scale import SCALES, loss_curve

log = logging.getLogger(__name__)
PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0)
SUBSETS = 20  # random sets of n images a class in each regression
FOLDS = 5
TASKS = 40  # random tasks a fold
# Chosen on validation images of classes left out of a body's training (docs/studies/conditional-sampling).
PRIOR_IMAGES = 150  # how many images the scatter of known classes counts for, beside the task's own
ROUND_IMAGES = 200  # images a class at which the scatter's shape is trusted as much as a round one's
MOST_DOUBT = 100.0  # times as much as known classes'


@dataclass
class KnownClasses:
    """What is known of the K classes that the zoo saw.

    Attributes:
        clips: CLIP features of training images (K, n, Z); as many of each class as the smallest has.
        bodies: the same images' features in the body's space (K, n, F).
        validation: validation images' features there (K, m, F): the body was not trained on these, as it will not be on
            a new class's.
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
        """Return what CLIP says of each class (K, Z): of its name for no images, else the mean over ``images``."""
        return self.clips[:, images].mean(1) if len(images) else self.texts

    def scatter(self) -> torch.Tensor:
        """Return the covariance (F, F) of images around their class's mean."""
        apart = self.validation - self.validation.mean(1, keepdim=True)
        freedom = len(apart) * max(apart.shape[1] - 1, 1)
        return apart.flatten(0, 1).T @ apart.flatten(0, 1) / freedom


def fit_guess(known: KnownClasses, count: int, penalty: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return slope and intercept from what CLIP says of a class, by ``count`` images, to its mean in the body."""
    generator = torch.Generator().manual_seed(seed)
    total = known.clips.shape[1]
    repeats = SUBSETS if 0 < count < total else 1
    draws = [torch.randperm(total, generator=generator)[:count] for _ in range(repeats)]
    inputs = torch.cat([known.heard(images) for images in draws])
    # The penalty is one on a class, however many of its subsets stand in the regression.
    targets = known.validation.mean(1).repeat(repeats, 1)
    from sklearn.linear_model import Ridge  # takes most of a second, and who only loads a head needs none of it

    fitted = Ridge(penalty * repeats).fit(inputs.numpy(), targets.numpy())
    return torch.from_numpy(fitted.coef_.T.copy()), torch.from_numpy(fitted.intercept_)


@dataclass
class Inference:
    """What infers heads from a given number of images.

    Attributes:
        slope, intercept: of the guess, see ``fit_guess``.
        doubt: covariance (F, F) of class means around their guess, classes left out.
        scatter: see ``KnownClasses.scatter``.
        curve: mean cross-entropy (nats) on validation images of tasks left out, at each of ``SCALES``.
        accuracy: on those.
    """

    slope: torch.Tensor
    intercept: torch.Tensor
    doubt: torch.Tensor
    scatter: torch.Tensor
    curve: torch.Tensor
    accuracy: float

    def posterior(self, heard: torch.Tensor, images: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the posterior means (C, F) of a task's classes and the covariance (F, F) of each around its own.

        With a guess m of covariance G, and the mean x of n images of scatter S, the gain is g G (g G + S / n)^-1. The
        doubt is g = 1 for classes like the known ones, and more by as much as |x - m|² exceeds what G and S explain.

        Args:
            heard: what CLIP says of the classes (C, Z).
            images: features in the body's space (n, F) of each class's images; with no image the guess stands.
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
        """Return the scatter (F, F) of a task's images, that of known classes counting as ``PRIOR_IMAGES`` of them."""
        if not len(images[0]):
            return self.scatter
        apart = torch.cat([one - one.mean(0) for one in images])
        freedom = len(apart) - len(images)
        return (PRIOR_IMAGES * self.scatter + apart.T @ apart) / (PRIOR_IMAGES + freedom)

    def head(self, means: torch.Tensor, images: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return weight (C, F) and bias (C,) of the linear discriminant of class means (C, F); equal class chances.

        The fewer images, the rounder the scatter that it assumes: without any, the nearest mean wins.
        """
        scatter = self.scatter_of(images)
        fewest = min(len(one) for one in images)
        share = fewest / (fewest + ROUND_IMAGES)
        round_one = scatter.diagonal().mean() * torch.eye(len(scatter), dtype=scatter.dtype)
        weight = torch.linalg.solve(share * scatter + (1 - share) * round_one, means.T).T
        bias = -(weight * means).sum(1) / 2
        return weight - weight.mean(0), bias - bias.mean()  # the same for all classes, so that it changes no choice


def fit_inference(known: KnownClasses, count: int, classes_per_task: int, seed: int) -> Inference:
    """Fit for ``count`` images a class, with the penalty chosen on classes left out.

    Whole classes are left out in turn. The penalty with the least squared error of their guesses is taken, and random
    tasks of them, with training images at hand and validation images to tell apart, give ``curve`` and ``accuracy``.
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
    doubt = 0.5 * doubt + 0.5 * torch.diag(doubt.diagonal())  # few classes, many numbers
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
    log.info("%d images a class: penalty %g, accuracy left out %.3f", count, best, parts["accuracy"])
    return Inference(*fit_guess(known, count, best, seed), **parts)


def _regular(covariance: torch.Tensor) -> torch.Tensor:
    return covariance + 1e-6 * (covariance.diagonal().mean() + 1e-12) * torch.eye(len(covariance))


def _others(total: int, out: torch.Tensor) -> torch.Tensor:
    return torch.tensor([row for row in range(total) if row not in set(out.tolist())])


def _folds(total: int, least: int, seed: int) -> list[torch.Tensor]:
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    # As equal as can be: a fold of one class would have no task, and no loss.
    return list(order.tensor_split(max(2, min(FOLDS, total // least))))


def _tasks(total: int, size: int, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    size = min(size, total)
    return [torch.randperm(total, generator=generator)[:size] for _ in range(TASKS)]
