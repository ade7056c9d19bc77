"""The behaviour loss: it compares outputs of decoded models with those of their originals (Meynent et al. 2025)."""

import torch
from torch.nn import functional

from wsl.images.inputs import normalised
from wsl.images.reading import task_classes
from wsl.images.tasks import TaskImages
from wsl.weights.encoders.base import Measure
from wsl.weights.snapshots import Snapshots
from wsl.zoo.layout import Layout
from wsl.zoo.stacked import Networks


def divergence(original: torch.Tensor, decoded: torch.Tensor) -> torch.Tensor:
    """Return the divergence KL(original || decoded) of class probabilities, nats, averaged over logits (..., classes).

    The mean is over all but the last dimension.
    """
    probabilities = decoded.log_softmax(-1).flatten(0, -2), original.log_softmax(-1).flatten(0, -2)
    return functional.kl_div(*probabilities, log_target=True, reduction="batchmean")


def probability_error(original: torch.Tensor, decoded: torch.Tensor) -> torch.Tensor:
    """Return the mean squared difference of class probabilities of logits (..., classes)."""
    return functional.mse_loss(decoded.softmax(-1), original.softmax(-1))


def logit_error(original: torch.Tensor, decoded: torch.Tensor) -> torch.Tensor:
    """Return the mean over networks of log(1 + r) of logits (networks, images, classes).

    r is the squared error relative to the squared size of the original's logits, after the mean of each image's logits
    is subtracted, which changes no probability. So networks with logits of any size count alike.
    """
    a, b = (logits - logits.mean(-1, keepdim=True) for logits in (original, decoded))
    return ((b - a).square().mean((1, 2)) / a.square().mean((1, 2)).clamp_min(1e-12)).log1p().mean()


MEASURES = {"divergence": divergence, "probabilities": probability_error, "logits": logit_error}


class Behaviour:
    """Compares outputs of originals and decoded models on training images of the originals' tasks.

    Both use the batch-normalisation statistics of these images, as after recalibration, so decoded running statistics
    have no effect. Each comparison draws ``queries`` images per class; rows of one task share them.
    """

    def __init__(
        self,
        layout: Layout,
        images: TaskImages,
        queries: int,
        device: str = "cpu",
        measure: Measure = "divergence",
    ):
        self.layout, self.images, self.device = layout, images, device
        self.queries, self.measure = queries, MEASURES[measure]
        self.networks = Networks(layout, device, batch_statistics=True)

    def loss(self, snapshots: Snapshots, rows: list[int], decoded: torch.Tensor) -> torch.Tensor:
        """Return the mean over rows of the measure of outputs of decoded flat weights (rows, n_weights).

        It is differentiable. ``rows`` are those of their originals.
        """
        by_task: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            by_task.setdefault(snapshots.task(row), []).append(place)
        total = decoded.new_zeros(())
        for task, places in by_task.items():
            inputs = normalised(self._draw(task), self.layout.normalisation)
            with torch.no_grad():
                weights = snapshots.weights([rows[place] for place in places]).to(self.device)
                original = self.networks(weights, inputs)
            total = total + self.measure(original, self.networks(decoded[places], inputs)) * len(places)
        return total / len(rows)

    def _draw(self, task: str) -> torch.Tensor:
        """Return uint8 images (classes * queries, 3, h, w) of a task, those of a class next to each other."""
        drawn = []
        for name in task_classes(task):
            images = self.images.of_class(name)
            drawn.append(images[torch.randperm(len(images))[: self.queries]])
        return torch.cat(drawn).to(self.device)
