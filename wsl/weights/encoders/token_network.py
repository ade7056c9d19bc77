"""A transformer over tokens of weights, in windows, since a whole network has thousands of them (SANE)."""

from typing import NamedTuple

import torch
from torch import nn


class Window(NamedTuple):
    """Tokens that are looked at together, and those among them whose results are kept: the rest is a halo."""

    seen: slice
    kept: slice

    def core(self, results: torch.Tensor) -> torch.Tensor:
        """Return the results (n, kept, ...) of those that are kept, of all that are seen (n, seen, ...)."""
        start = self.kept.start - self.seen.start
        return results[:, start : start + self.kept.stop - self.kept.start]


def windows_of(tokens: int, window: int, halo: int) -> list[Window]:
    """Cut a sequence into windows that keep ``window`` tokens each and see ``halo`` more on either side."""
    starts = range(0, tokens, window)
    return [
        Window(
            slice(max(0, start - halo), min(tokens, start + window + halo)), slice(start, min(tokens, start + window))
        )
        for start in starts
    ]


class Positions(nn.Module):
    """Learned embeddings of where a token stands: in the sequence, its layer, and in the layer (SANE).

    Args:
        most: numbers that each of the three can take.
        width: of the embedding.
    """

    def __init__(self, most: tuple[int, int, int], width: int):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(count, width) for count in most)
        for table in self.tables:
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, positions: torch.Tensor) -> torch.Tensor:
        """Return embeddings (T, width) of positions (T, 3)."""
        return sum(table(positions[:, kind]) for kind, table in enumerate(self.tables))


class TokenNetwork(nn.Module):
    """Tokens -> latents -> tokens.

    Args:
        size: numbers in a token.
        latent: numbers in a token's latent, or in the network's where it is ``pooled``.
        most: see ``Positions``.
        width, depth, heads: of the transformers, one for each way.
        pooled: one latent for the whole sequence, from the mean over its tokens, in place of one a token.
    """

    def __init__(
        self, size: int, latent: int, most: tuple[int, int, int], width: int, depth: int, heads: int, pooled: bool
    ):
        super().__init__()
        self.pooled = pooled
        self.read, self.write = nn.Linear(size, width), nn.Linear(width, size)
        self.reading, self.writing = Positions(most, width), Positions(most, width)
        self.encoder, self.decoder = _transformer(width, depth, heads), _transformer(width, depth, heads)
        self.narrow, self.widen = nn.Linear(width, latent), nn.Linear(latent, width)

    def encode(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return latents (n, T, latent) of a window of tokens (n, T, size) at positions (T, 3)."""
        return self.narrow(self.encoder(self.read(tokens) + self.reading(positions)))

    def decode(self, latents: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return tokens (n, T, size) of each token's latent (n, T, latent) or the network's (n, 1, latent)."""
        return self.write(self.decoder(self.widen(latents) + self.writing(positions)))


def _transformer(width: int, depth: int, heads: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, depth, norm=nn.LayerNorm(width), enable_nested_tensor=False)
