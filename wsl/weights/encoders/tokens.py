"""Weights as sequences of tokens of equal size, one or more per output channel (Schürholt et al. 2024, SANE)."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from wsl.errors import ConfigError
from wsl.zoo.layout import Entry, Layout
from wsl.zoo.recognition import architecture_of

NOTHING = -1
Norms = Literal["own", "shared"]  # whether batch-normalisation values have tokens of their own


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


def tokens_of(layout: Layout, size: int, norms: Norms = "own") -> Tokens:
    """Cut a layout into tokens of ``size`` numbers.

    A row holds the numbers of one output channel of a layer, for example its incoming weights and its bias. Each row
    is cut into as few tokens as possible; its last token is padded.
    """
    places, positions = [], []
    for number, layer in enumerate(_layers(layout, norms)):
        rows = np.concatenate(
            [np.arange(entry.offset, entry.offset + entry.size).reshape((*entry.shape, 1)[0], -1) for entry in layer], 1
        )
        padding = -rows.shape[1] % size
        cut = np.pad(rows, ((0, 0), (0, padding)), constant_values=NOTHING).reshape(-1, size)
        places.append(cut)
        positions.append(np.stack([np.full(len(cut), number), np.arange(len(cut))], axis=1))
    layers = np.concatenate(positions)
    return Tokens(np.concatenate(places), np.concatenate([np.arange(len(layers))[:, None], layers], axis=1))


def _layers(layout: Layout, norms: Norms) -> Iterator[list[Entry]]:
    """Yield the parameters of each layer, see ``Architecture.token_rows``.

    With ``own``, vectors of another module than the layer's matrices, those of a normalisation, are a layer themselves.
    """
    for layer in architecture_of(layout).token_rows(layout):
        matrices = {_module(entry) for entry in layer if len(entry.shape) > 1 or norms == "shared"}
        parts: dict[str, list[Entry]] = {}
        for entry in layer:
            parts.setdefault("" if _module(entry) in matrices else _module(entry), []).append(entry)
        yield from parts.values()


def _module(entry: Entry) -> str:
    return entry.name.rpartition(".")[0]


def token_size(layout: Layout, norms: Norms) -> int:
    """Return the numbers of the longest row: one token then holds any row."""
    return max(sum(entry.size // (*entry.shape, 1)[0] for entry in layer) for layer in _layers(layout, norms))


def chunks_of(layout: Layout, size: int) -> Tokens:
    """Cut flat weights into chunks of ``size`` numbers, whatever the layers (Bedionita et al. 2025, IGPG)."""
    places = np.pad(np.arange(layout.size), (0, -layout.size % size), constant_values=NOTHING).reshape(-1, size)
    order = np.arange(len(places))
    return Tokens(places, np.stack([order, np.zeros_like(order), order], axis=1))


def latent_a_token(layout: Layout, size: int, latent: int, norms: Norms = "own") -> int:
    """Return the size of the latent of a token for ``latent`` numbers per network.

    Raises:
        ConfigError: there are more tokens than numbers.
    """
    tokens = len(tokens_of(layout, size, norms).places)
    if latent < tokens:
        raise ConfigError(
            f"weights.encoder.latent: {latent} numbers, but networks of this zoo have {tokens} tokens, and each needs "
            "one; raise it, raise weights.encoder.size, or set weights.encoder.norms to shared"
        )
    return latent // tokens
