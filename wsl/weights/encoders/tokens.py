"""Weights as sequences of tokens: one or more an output channel, of equal size (Schürholt et al. 2024, SANE)."""

from typing import NamedTuple

import numpy as np

from wsl.errors import ConfigError
from wsl.zoo.layout import Entry, Layout

STATISTICS = ("weight", "bias", "running_mean", "running_var")
NOTHING = -1


class Tokens(NamedTuple):
    """How a network of one layout is cut into T tokens.

    Attributes:
        places: of each token's numbers in a flat snapshot, ``NOTHING`` where a token is padded (T, size).
        positions: of each token: in the sequence, its layer's number, and in the layer (T, 3).
    """

    places: np.ndarray
    positions: np.ndarray

    @property
    def filled(self) -> np.ndarray:
        """Which numbers of the tokens are weights (T, size)."""
        return self.places != NOTHING


def tokens_of(layout: Layout, size: int) -> Tokens:
    """Cut a layout into tokens of ``size`` numbers.

    A layer is a convolution with its batch normalisation, or the head with its bias. A row of it holds all that
    makes one output channel: the incoming weights, then the four numbers of batch normalisation or the bias. Rows are
    cut into as few tokens as hold them, the last of each padded.
    """
    places, positions = [], []
    for number, layer in enumerate(_layers(layout)):
        rows = np.concatenate(
            [np.arange(one.offset, one.offset + one.size).reshape(one.shape[0], -1) for one in layer], 1
        )
        padding = -rows.shape[1] % size
        cut = np.pad(rows, ((0, 0), (0, padding)), constant_values=NOTHING).reshape(-1, size)
        places.append(cut)
        positions.append(np.stack([np.full(len(cut), number), np.arange(len(cut))], axis=1))
    layers = np.concatenate(positions)
    return Tokens(np.concatenate(places), np.concatenate([np.arange(len(layers))[:, None], layers], axis=1))


def _layers(layout: Layout) -> list[list[Entry]]:
    by_name = {entry.name: entry for entry in layout.entries}
    layers = []
    for entry in layout.entries:
        if len(entry.shape) == 4:
            norm = _norm_of(entry.name)
            layers.append([entry, *(by_name[f"{norm}.{key}"] for key in STATISTICS)])
    return [*layers, [by_name["fc.weight"], by_name["fc.bias"]]]


def _norm_of(convolution: str) -> str:
    """Return the batch normalisation that follows a convolution: bn1 for conv1, downsample.1 for downsample.0."""
    name = convolution.removesuffix(".weight")
    return name.replace("downsample.0", "downsample.1") if "downsample" in name else name.replace("conv", "bn")


def latent_a_token(layout: Layout, size: int, latent: int) -> int:
    """Return how many numbers each token's latent may have, for ``latent`` in all.

    Raises:
        ConfigError: not one.
    """
    tokens = len(tokens_of(layout, size).places)
    if latent < tokens:
        raise ConfigError(
            f"weights.encoder.latent: {latent} numbers, but a network of this width has {tokens} tokens, and each "
            "needs one; raise it, or raise weights.encoder.size"
        )
    return latent // tokens
