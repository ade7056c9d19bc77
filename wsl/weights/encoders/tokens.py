"""Weights as sequences of tokens of equal size, one or more per output channel (Schürholt et al. 2024, SANE)."""

from typing import NamedTuple

import numpy as np

from wsl.errors import ConfigError
from wsl.zoo.layout import Layout
from wsl.zoo.recognition import architecture_of

NOTHING = -1


class Tokens(NamedTuple):
    """The T tokens of a network of one layout.

    Attributes:
        places: index of each number in a flat snapshot, ``NOTHING`` for padding (T, size).
        positions: place in the sequence, number of the layer, place in the layer (T, 3).
    """

    places: np.ndarray
    positions: np.ndarray

    @property
    def filled(self) -> np.ndarray:
        """Whether each number is a weight, not padding (T, size)."""
        return self.places != NOTHING


def tokens_of(layout: Layout, size: int) -> Tokens:
    """Cut a layout into tokens of ``size`` numbers.

    Layers come from the architecture (``token_rows``), for example a convolution with its batch normalisation, or a
    linear layer with its bias. A row holds all numbers of one output channel: its incoming weights, then those of
    batch normalisation or the bias. Each row is cut into as few tokens as possible; its last token is padded.
    """
    places, positions = [], []
    for number, layer in enumerate(architecture_of(layout).token_rows(layout)):
        rows = np.concatenate(
            [np.arange(entry.offset, entry.offset + entry.size).reshape((*entry.shape, 1)[0], -1) for entry in layer], 1
        )
        padding = -rows.shape[1] % size
        cut = np.pad(rows, ((0, 0), (0, padding)), constant_values=NOTHING).reshape(-1, size)
        places.append(cut)
        positions.append(np.stack([np.full(len(cut), number), np.arange(len(cut))], axis=1))
    layers = np.concatenate(positions)
    return Tokens(np.concatenate(places), np.concatenate([np.arange(len(layers))[:, None], layers], axis=1))


def chunks_of(layout: Layout, size: int) -> Tokens:
    """Cut flat weights into chunks of ``size`` numbers, whatever the layers (Bedionita et al. 2025, IGPG)."""
    places = np.pad(np.arange(layout.size), (0, -layout.size % size), constant_values=NOTHING).reshape(-1, size)
    order = np.arange(len(places))
    return Tokens(places, np.stack([order, np.zeros_like(order), order], axis=1))


def latent_a_token(layout: Layout, size: int, latent: int) -> int:
    """Return the size of the latent of a token for ``latent`` numbers per network.

    Raises:
        ConfigError: there are more tokens than numbers.
    """
    tokens = len(tokens_of(layout, size).places)
    if latent < tokens:
        raise ConfigError(
            f"weights.encoder.latent: {latent} numbers, but networks of this zoo have {tokens} tokens, and each needs "
            "one; raise it, or raise weights.encoder.size"
        )
    return latent // tokens
