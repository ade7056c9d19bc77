"""Outputs of models on images, and metrics that compare the outputs of two models."""

from functools import cached_property

import numpy as np
import torch
from torch.nn import functional

from wsl.images.inputs import pixelwise
from wsl.zoo.layout import Layout
from wsl.zoo.network import FlatNetwork
from wsl.zoo.stacked import Networks

BLOCK = 128  # images at once of small networks that run together
NUMBERS = 2**25  # maximum number of weights that are held at once
MODELS = 64  # maximum number of models


class Runner:
    """Runs flat weights of a layout, always in the same network; small networks also several at once."""

    def __init__(self, layout: Layout, device: str = "cpu"):
        self.device = device
        self.layout, self.flat = layout, FlatNetwork(layout, device)
        self.at_once = max(1, min(NUMBERS // layout.size, MODELS))

    @cached_property
    def networks(self) -> Networks:
        """Several networks at once; built on first use, since that draws random numbers."""
        return Networks(self.layout, self.device)

    def groups(self, rows: np.ndarray) -> list[np.ndarray]:
        """Return rows of snapshots (n,) in groups whose weights fit in memory."""
        return [rows[start : start + self.at_once] for start in range(0, len(rows), self.at_once)]

    @torch.no_grad()
    def logits_of(self, weights: np.ndarray, inputs: torch.Tensor) -> torch.Tensor:
        """Return logits (m, n, classes) of normalised inputs (n, 3, h, w) under flat weights (m, n_weights)."""
        if not self.networks.small:
            return torch.stack([self.logits(vector, inputs) for vector in weights])
        vectors = torch.from_numpy(weights).to(self.device)
        return torch.cat([self.networks(vectors, block.to(self.device)).cpu() for block in inputs.split(BLOCK)], dim=1)

    @torch.no_grad()
    def logits(self, weights: np.ndarray, inputs: torch.Tensor) -> torch.Tensor:
        """Return logits (n, classes) of normalised inputs (n, 3, h, w) under flat weights (n_weights,)."""
        network = self.flat.load(weights)
        return torch.cat([network(pixelwise(batch.to(self.device))) for batch in inputs.split(512)]).cpu()


def synthetic_inputs(count: int, size: int, seed: int) -> torch.Tensor:
    """Return standard normal noise (count, 3, size, size), in the scale of normalised images."""
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def compare(original: torch.Tensor, reconstructed: torch.Tensor) -> dict[str, float]:
    """Compare pre-softmax outputs (n, classes) of two models on the same images (section 4.1).

    Returns:
        ``agreement``: fraction of images with the same predicted class; ``cosine`` of the two output vectors of an
        image, averaged over images; ``correlation``: Pearson's, over all outputs of all images (0 for constant
        outputs). All are 0 if outputs of the reconstruction are not finite.
    """
    if not torch.isfinite(reconstructed).all():
        return {"agreement": 0.0, "cosine": 0.0, "correlation": 0.0}
    a, b = original.double(), reconstructed.double()
    centred = torch.stack([a.flatten() - a.mean(), b.flatten() - b.mean()])
    norms = centred.norm(dim=1).prod()
    return {
        "agreement": (a.argmax(1) == b.argmax(1)).double().mean().item(),
        "cosine": functional.cosine_similarity(a, b, dim=1).mean().item(),
        "correlation": (centred.prod(0).sum() / norms).item() if norms > 0 else 0.0,
    }


def disagreement(predictions: torch.Tensor | np.ndarray) -> float:
    """Return the fraction of images on which two models differ, averaged over images and pairs of models.

    The pairs with equal predictions are counted by class, so the time is linear in the number of models.

    Args:
        predictions: predicted classes of the same images (m, n), for two or more models; -1: none.

    Returns:
        In [0, 1]; NaN for fewer than two models.
    """
    models = len(predictions)
    if models < 2:
        return float("nan")
    votes = functional.one_hot(torch.as_tensor(predictions) + 1).sum(0).double()  # (n, classes)
    return 1 - (votes * (votes - 1)).sum(1).mean().item() / (models * (models - 1))


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the fraction of correct predictions, in [0, 1]."""
    return (logits.argmax(1) == labels).double().mean().item()
