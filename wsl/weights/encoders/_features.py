"""The modules behind `statistics` and `flat`, which describe networks and cannot be decoded."""

import numpy as np
import torch
from torch import nn

from wsl.errors import DataError
from wsl.weights.fitted import FittedEncoder
from wsl.weights.training import EncoderData, Training
from wsl.zoo.layout import Layout

QUANTILES = (0, 25, 50, 75, 100)  # percent


def layer_statistics(weights: np.ndarray, layout: Layout) -> np.ndarray:
    """Return the statistics s(W) of each named parameter (n, 7 * parameters) of flat weights (n, n_weights).

    These are the mean, the variance, and the quantiles 0, 25, 50, 75 and 100 %, linear between two values (Unterthiner
    et al. 2020, section 3). SANE's code takes 1 and 99 % in place of minimum and maximum.
    """
    statistics = []
    for entry in layout.entries:
        values = weights[:, entry.columns]
        statistics += [values.mean(1), values.var(1), *np.percentile(values, QUANTILES, axis=1)]
    return np.stack(statistics, axis=1)


class Description(FittedEncoder):
    """A map W -> z_W without a decoder and without parameters."""

    about: dict[str, int] = {}  # noqa: RUF012

    def __init__(self, layout: Layout):
        super().__init__()
        self.layout = layout

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        raise DataError(
            "the latents of `statistics` and `flat` cannot be decoded; choose a weight encoder with a decoder, for "
            "example pca-ae"
        )


class LayerStatistics(Description):
    """``layer_statistics`` as an encoder."""

    @property
    def latent(self) -> int:
        return (2 + len(QUANTILES)) * len(self.layout.entries)

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.float32(layer_statistics(weights.numpy(), self.layout)))


class FlatWeights(Description):
    """The identity."""

    @property
    def latent(self) -> int:
        return self.layout.size

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        return weights


def prepare(module: nn.Module, data: EncoderData) -> Training:
    """Prepare a module that needs no fit; it has no loss, since nothing is decoded."""
    counts = {part: len(snapshots) for part, snapshots in data.parts.items()}
    return Training(module, lambda part, rows: torch.tensor(torch.nan), counts)
