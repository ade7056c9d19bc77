"""The behaviour loss: it compares outputs of a decoded model with those of its original (Meynert et al. 2025)."""

import torch
from torch.func import functional_call
from torch.nn import functional

from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.weights.snapshots import Snapshots
from wsl.zoo.layout import Layout
from wsl.zoo.network import learned_state, network_for, with_batch_statistics

QUERIES = 8  # training images per class for each comparison of two models


def divergence(original: torch.Tensor, decoded: torch.Tensor) -> torch.Tensor:
    """Return the divergence KL(original || decoded) of class probabilities, nats, averaged over logits (n, classes)."""
    probabilities = decoded.log_softmax(1), original.log_softmax(1)
    return functional.kl_div(*probabilities, log_target=True, reduction="batchmean")


class Behaviour:
    """Compares outputs of originals and decoded models on training images of the originals' tasks.

    Both use the batch-normalisation statistics of these images, as after recalibration, so decoded running statistics
    have no effect. Each comparison draws ``queries`` images per class (None: ``QUERIES``).
    """

    def __init__(self, layout: Layout, images: TaskImages, queries: int | None = None, device: str = "cpu"):
        self.layout, self.images, self.device = layout, images, device
        self.queries = QUERIES if queries is None else queries
        self.network = with_batch_statistics(network_for(layout).to(device))

    def loss(self, snapshots: Snapshots, rows: list[int], decoded: torch.Tensor) -> torch.Tensor:
        """Return the mean divergence of outputs of decoded flat weights (rows, n_weights), differentiable.

        ``rows`` are those of their originals.
        """
        losses = []
        for row, weights in zip(rows, decoded, strict=True):
            inputs = normalised(self._draw(snapshots.task(row)), self.layout.normalisation)
            with torch.no_grad():
                original = self.outputs(snapshots.weights([row])[0].to(self.device), inputs)
            losses.append(divergence(original, self.outputs(weights, inputs)))
        return torch.stack(losses).mean()

    def outputs(self, weights: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Return logits (n, classes) of inputs under flat weights (n_weights,), differentiable in both."""
        return functional_call(self.network, learned_state(weights, self.layout), (inputs,))

    def _draw(self, task: str) -> torch.Tensor:
        images, labels = self.images.of_task(task)
        by_class = [torch.nonzero(labels == label)[:, 0] for label in labels.unique()]
        chosen = [places[torch.randperm(len(places))[: self.queries]] for places in by_class]
        return images[torch.cat(chosen)].to(self.device)
