"""Re-estimate batch-normalisation statistics of decoded weights from training images."""

import numpy as np
import torch
from torch import nn

from wsl.images.inputs import normalised
from wsl.zoo.layout import Layout
from wsl.zoo.network import FlatNetwork, batch_norms, with_batch_statistics

BATCH = 512
STRENGTH = 30.0  # see `Recalibration`


class Recalibration:
    """Re-estimates the running statistics of flat weights.

    Small errors of decoded weights in early layers shift the inputs of later layers, so that decoded statistics cost
    much accuracy. Statistics of few images are noisy, so they are mixed with those of ``reference`` images.

    Args:
        layout: of the weights.
        reference: uint8 images (n, 3, h, w) of many training classes.
        strength: number of task images at which task and reference statistics have equal weight; 0: task only.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, layout: Layout, reference: torch.Tensor, strength: float = STRENGTH, device: str = "cpu"):
        self.strength, self.device = strength, device
        self.reference = reference.to(device)
        self.flat = FlatNetwork(layout, device)

    def __call__(self, weights: np.ndarray, images: torch.Tensor) -> np.ndarray:
        """Return flat weights (n_weights,) with statistics from uint8 images (n, 3, h, w) of the task, maybe none.

        Without images of the task and without reference images the weights are returned unchanged.
        """
        if not len(images) and not len(self.reference):
            return weights
        share_of_task, total = 1.0, 0.0
        if len(self.reference):
            share_of_task = len(images) / (len(images) + self.strength) if len(images) else 0.0
        for share, source in ((share_of_task, images), (1 - share_of_task, self.reference)):
            if share > 0:
                total = total + share * self._estimated(weights, source)
        return total

    def _estimated(self, weights: np.ndarray, images: torch.Tensor) -> np.ndarray:
        re_estimate(self.flat.load(weights), images.to(self.device))
        return self.flat.weights.cpu().numpy().copy()


@torch.no_grad()
def re_estimate(network: nn.Module, images: torch.Tensor) -> None:
    """Replace running statistics of a network of ``network_for`` by averages over uint8 images (n, 3, h, w)."""
    layers = batch_norms(network)
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # PyTorch then averages over batches
    with_batch_statistics(network)
    # Batches of equal size, since all have the same weight.
    for batch in images.chunk(max(1, round(len(images) / BATCH))) if layers else ():
        network(normalised(batch, network.normalisation))
    network.eval()
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
