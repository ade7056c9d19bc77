"""Re-estimate batch-normalisation statistics of decoded weights from training images."""

import numpy as np
import torch
from torch import nn

from wsl.images.inputs import normalised
from wsl.zoo.layout import Layout
from wsl.zoo.network import FlatNetwork

BATCH = 512
STRENGTH = 30.0  # images of a task at which its own statistics and the reference's have equal weight


class Recalibration:
    """Re-estimates the running statistics of flat weights.

    Decoded weights come with decoded statistics, and small errors of weights in early layers shift the inputs of later
    layers: without new statistics decoded models lose much of their accuracy. The statistics of few images are noisy,
    so they are mixed with those of ``reference`` images.

    Args:
        layout: of the weights.
        reference: uint8 images (n, 3, h, w) of many training classes, for tasks with few images of their own.
        strength: task images needed for task and reference statistics to weigh equally; 0 uses the task's alone.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, layout: Layout, reference: torch.Tensor, strength: float = STRENGTH, device: str = "cpu"):
        self.strength, self.device = strength, device
        self.reference = reference.to(device)
        self.flat = FlatNetwork(layout, device)

    def __call__(self, weights: np.ndarray, images: torch.Tensor) -> np.ndarray:
        """Return flat weights (n_weights,) with new statistics from uint8 training images (n, 3, h, w), maybe none."""
        own = self._share(len(images))
        total = 0.0
        for share, source in ((own, images), (1 - own, self.reference)):
            if share > 0:
                total = total + share * self._estimated(weights, source)
        return total

    def _share(self, count: int) -> float:
        if not len(self.reference):
            return 1.0
        return count / (count + self.strength) if count else 0.0

    def _estimated(self, weights: np.ndarray, images: torch.Tensor) -> np.ndarray:
        re_estimate(self.flat.load(weights), images.to(self.device))
        return self.flat.weights.cpu().numpy().copy()


@torch.no_grad()
def re_estimate(network: nn.Module, images: torch.Tensor) -> None:
    """Replace a network's running statistics by plain averages over uint8 images (n, 3, h, w)."""
    layers = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if not layers:
        return
    kept = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # in PyTorch, a plain average over batches
    network.train()
    # Batches of equal size, since each has the same weight.
    for batch in images.chunk(max(1, round(len(images) / BATCH))):
        network(normalised(batch))
    network.eval()
    for layer, momentum in zip(layers, kept, strict=True):
        layer.momentum = momentum
