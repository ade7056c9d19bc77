"""The transformers over tokens of weights: with one latent per token, and with one for the network."""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional


class Shape(NamedTuple):
    """The shape of the transformer."""

    width: int = 64  # of tokens
    depth: int = 2  # number of blocks, of encoder and of decoder
    heads: int = 4  # of attention


class Positions(nn.Module):
    """Learned embeddings of the positions of a token (SANE): in the sequence, its layer, and in the layer.

    ``counts`` are the numbers of values of these three.
    """

    def __init__(self, counts: tuple[int, int, int], width: int):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(count, width) for count in counts)
        for table in self.tables:
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, positions: torch.Tensor) -> torch.Tensor:
        """Return embeddings (T, width) of positions (T, 3)."""
        return sum(table(positions[:, kind]) for kind, table in enumerate(self.tables))


class Block(nn.Module):
    """Attention between the tokens of a sequence, then a layer per token, both residual (Radford et al. 2019)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_layer = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.attention, self.mix = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.widen, self.narrow = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return tokens (n, T, width) of tokens (n, T, width)."""
        parts = self.attention(self.before_attention(tokens)).unflatten(2, (3, self.heads, -1))
        mixed = functional.scaled_dot_product_attention(*parts.permute(2, 0, 3, 1, 4))
        tokens = tokens + self.mix(mixed.transpose(1, 2).flatten(2))
        return tokens + self.narrow(functional.gelu(self.widen(self.before_layer(tokens))))


def transformer(shape: Shape) -> nn.Sequential:
    """Return the blocks of an encoder or a decoder, whose results are normalised."""
    blocks = (Block(shape.width, shape.heads) for _ in range(shape.depth))
    return nn.Sequential(*blocks, nn.LayerNorm(shape.width, bias=False))


class TokenNetwork(nn.Module):
    """Tokens of ``size`` numbers -> latents -> tokens; ``counts``: see ``Positions``."""

    def __init__(self, size: int, latent: int, counts: tuple[int, int, int], shape: Shape):
        super().__init__()
        width = shape.width
        self.read, self.write = nn.Linear(size, width), nn.Linear(width, size)
        self.reading, self.writing = Positions(counts, width), Positions(counts, width)
        self.encoder, self.decoder = transformer(shape), transformer(shape)
        self.narrow, self.widen = nn.Linear(width, latent), nn.Linear(latent, width)

    def encode(self, tokens: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        """Return latents (n, T, latent) of tokens (n, T, size), given embeddings ``place`` of their positions.

        ``place`` (T, width) or (n, T, width) is from ``reading``.
        """
        return self.narrow(self.encoder(self.read(tokens) + place))

    def decode(self, latents: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        """Return tokens (n, T, size) of latents of tokens (n, T, latent) or of the network (n, 1, latent).

        ``place`` is from ``writing``.
        """
        return self.write(self.decoder(self.widen(latents) + place))
