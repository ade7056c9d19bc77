"""Heads for tasks never trained: a class's place in the body's space, inferred from few images or from its name.

Linear-Gaussian inference (empirical Bayes): over the classes that the zoo knows, a ridge regression maps what is seen
of a class (the mean of n images in the body's space and in CLIP's, or the text of its name) to where the mean of all
its images lies. With few images it leans on what CLIP says and shrinks, with many it trusts what it sees. The inferred
means make a head of class prototypes by cosine (Snell et al. 2017): a discriminant under the within-class covariance of
known classes does worse on classes never seen, whose images scatter otherwise.
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

log = logging.getLogger(__name__)
PENALTIES = (10.0, 30.0, 100.0, 300.0, 1000.0)
SUBSETS = 20  # random sets of n images a class in each regression
FOLDS = 5
TASKS = 40  # random tasks a fold
SCALES = torch.logspace(-2.5, 1.5, 81)


@dataclass
class KnownClasses:
    """What is known of the K classes that the zoo saw.

    Attributes:
        bodies: training images' features in the body's space (K, n, F); as many of each class as the smallest has.
        clips: the same images' CLIP features (K, n, Z).
        validation: validation images' features in the body's space (K, m, F).
        texts: features of the classes' names (K, Z), or None.
    """

    bodies: torch.Tensor
    clips: torch.Tensor
    validation: torch.Tensor
    texts: torch.Tensor | None

    def only(self, rows: torch.Tensor) -> "KnownClasses":
        texts = None if self.texts is None else self.texts[rows]
        return KnownClasses(self.bodies[rows], self.clips[rows], self.validation[rows], texts)


def seen_of(known: KnownClasses, count: int, images: torch.Tensor) -> torch.Tensor:
    """Return what is seen of each class (K, inputs): its text for no images, else means over ``images`` of it."""
    if count == 0:
        return known.texts
    return torch.cat([known.bodies[:, images].mean(1), known.clips[:, images].mean(1)], dim=1)


def ridge(inputs: torch.Tensor, targets: torch.Tensor, penalty: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return slope and intercept of a ridge regression; the dual form, since rows are few."""
    centre, offset = inputs.mean(0), targets.mean(0)
    x = inputs - centre
    if len(x) < x.shape[1]:
        slope = x.T @ torch.linalg.solve(x @ x.T + penalty * torch.eye(len(x)), targets - offset)
    else:
        slope = torch.linalg.solve(x.T @ x + penalty * torch.eye(x.shape[1]), x.T @ (targets - offset))
    return slope, offset - centre @ slope


def inference(known: KnownClasses, count: int, penalty: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return slope and intercept from what is seen of a class with ``count`` images to its mean in the body's space."""
    generator = torch.Generator().manual_seed(seed)
    total = known.bodies.shape[1]
    repeats = SUBSETS if 0 < count < total else 1
    draws = [torch.randperm(total, generator=generator)[:count] for _ in range(repeats)]
    inputs = torch.cat([seen_of(known, count, images) for images in draws])
    # The penalty is one on a class, however many of its subsets stand in the regression.
    return ridge(inputs, known.bodies.mean(1).repeat(repeats, 1), penalty * repeats)


def cosine_head(means: torch.Tensor) -> torch.Tensor:
    """Return the weight (C, F) of a head, without bias, that chooses the mean (C, F) of highest cosine."""
    weight = functional.normalize(means, dim=1)
    return weight - weight.mean(0)  # the same for all classes, so that it changes no choice


@dataclass
class Inference:
    """What infers heads from a given number of images.

    Attributes:
        slope, intercept: see ``inference``.
        spread: lower Cholesky factor (F, F) of the covariance of true means around inferred ones, classes left out.
        curve: mean cross-entropy (nats) on validation images of tasks left out, at each of ``SCALES``.
        accuracy: on those.
    """

    slope: torch.Tensor
    intercept: torch.Tensor
    spread: torch.Tensor
    curve: torch.Tensor
    accuracy: float


def fit_inference(known: KnownClasses, count: int, classes_per_task: int, seed: int) -> Inference:
    """Fit for ``count`` images a class, with the penalty chosen on classes left out.

    Whole classes are left out in turn, and validation images of random tasks of them decide.
    """
    total = len(known.bodies)
    folds = _folds(total, classes_per_task, seed)
    accuracies = torch.zeros(len(PENALTIES))
    curves = torch.zeros(len(PENALTIES), len(SCALES))
    residuals: list[list[torch.Tensor]] = [[] for _ in PENALTIES]
    for number, out in enumerate(folds):
        kept = known.only(torch.tensor([row for row in range(total) if row not in set(out.tolist())]))
        left = known.only(out)
        tasks = _tasks(len(out), classes_per_task, seed + number)
        for i, penalty in enumerate(PENALTIES):
            slope, intercept = inference(kept, count, penalty, seed)
            means = seen_of(left, count, torch.arange(count)) @ slope + intercept
            residuals[i].append(left.bodies.mean(1) - means)
            for task in tasks:
                logits = (left.validation[task] @ cosine_head(means[task]).T).flatten(0, 1)
                labels = torch.arange(len(task)).repeat_interleave(left.validation.shape[1])
                accuracies[i] += (logits.argmax(1) == labels).float().mean() / len(tasks) / len(folds)
                curves[i] += loss_curve(logits, labels) / len(tasks) / len(folds)
    best = int(accuracies.argmax())
    log.info(
        "%d images a class: penalty %g, accuracy on classes left out %.3f", count, PENALTIES[best], accuracies[best]
    )
    slope, intercept = inference(known, count, PENALTIES[best], seed)
    errors = torch.cat(residuals[best])
    covariance = errors.T @ errors / len(errors)
    covariance = 0.5 * covariance + 0.5 * torch.diag(covariance.diagonal())  # few classes, many numbers
    return Inference(
        slope=slope,
        intercept=intercept,
        spread=torch.linalg.cholesky(covariance + 1e-6 * covariance.diagonal().mean() * torch.eye(len(covariance))),
        curve=curves[best],
        accuracy=float(accuracies[best]),
    )


def loss_curve(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy (nats) of logits (n, C) at each of ``SCALES``."""
    scaled = SCALES[:, None, None] * logits
    return (
        functional.cross_entropy(scaled.flatten(0, 1), labels.repeat(len(SCALES)), reduction="none")
        .view(len(SCALES), -1)
        .mean(1)
    )


def scale_for(loss: float, curve: torch.Tensor) -> float:
    """Return the scale of a head at which its loss is the one asked for, or its lowest where that is out of reach.

    Scaling a head up from 0 takes its loss from log C down to a minimum, as training does.
    """
    best = int(curve.argmin())
    falling = curve[: best + 1].numpy()
    if loss <= falling[-1]:
        return float(SCALES[best])
    # Ascending losses for interpolation; what lies above the first is a head of nearly zeros.
    return float(np.exp(np.interp(loss, falling[::-1], np.log(SCALES[: best + 1].numpy())[::-1])))


def _folds(total: int, least: int, seed: int) -> list[torch.Tensor]:
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    # As equal as can be: a fold of one class would have no task, and no loss.
    return list(order.tensor_split(max(2, min(FOLDS, total // least))))


def _tasks(total: int, size: int, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    size = min(size, total)
    return [torch.randperm(total, generator=generator)[:size] for _ in range(TASKS)]
