"""The module behind `sane`, one latent per token (Schürholt et al. 2024), and `contrastive`, one per network."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from wsl.weights.encoders.tokens import Tokens, tokens_of
from wsl.weights.fitted import FittedEncoder
from wsl.zoo.layout import Layout, layout_from_text


class Shape(NamedTuple):
    """The shape of the transformer."""

    width: int = 64  # of tokens
    depth: int = 2  # number of blocks, of encoder and of decoder
    heads: int = 4  # of attention
    window: int = 128  # number of tokens that are read at once
    halo: int = 16  # number of additional tokens on either side of a window


class Window(NamedTuple):
    """Tokens that are read together, and those among them whose results are kept: all without the halo."""

    seen: slice
    kept: slice

    def core(self, results: torch.Tensor) -> torch.Tensor:
        """Return the kept results (n, kept, ...) of all (n, seen, ...)."""
        start = self.kept.start - self.seen.start
        return results[:, start : start + self.kept.stop - self.kept.start]


def windows_of(tokens: int, window: int, halo: int) -> list[Window]:
    """Cut a sequence into windows that keep ``window`` tokens each and see ``halo`` more on either side."""
    windows = []
    for start in range(0, tokens, window):
        end = min(tokens, start + window)
        windows.append(Window(slice(max(0, start - halo), min(tokens, end + halo)), slice(start, end)))
    return windows


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


class TokenNetwork(nn.Module):
    """Tokens of ``size`` numbers -> latents -> tokens; ``counts``: see ``Positions``."""

    def __init__(self, size: int, latent: int, counts: tuple[int, int, int], shape: Shape):
        super().__init__()
        width = shape.width
        self.read, self.write = nn.Linear(size, width), nn.Linear(width, size)
        self.reading, self.writing = Positions(counts, width), Positions(counts, width)
        self.encoder, self.decoder = _transformer(shape), _transformer(shape)
        self.narrow, self.widen = nn.Linear(width, latent), nn.Linear(latent, width)

    def encode(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return latents (n, T, latent) of a window of tokens (n, T, size) at positions (T, 3)."""
        return self.narrow(self.encoder(self.read(tokens) + self.reading(positions)))

    def decode(self, latents: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return tokens (n, T, size) of latents of tokens (n, T, latent) or of the network (n, 1, latent)."""
        return self.write(self.decoder(self.widen(latents) + self.writing(positions)))


def _transformer(shape: Shape) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        shape.width, shape.heads, 4 * shape.width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, shape.depth, norm=nn.LayerNorm(shape.width), enable_nested_tensor=False)


class TokenSequence(nn.Module):
    """Flat weights of one layout <-> standardised tokens of ``size`` numbers; ``cutting``: how they are cut."""

    def __init__(self, layout: Layout, size: int, cutting: Callable[[Layout, int], Tokens] = tokens_of):
        super().__init__()
        cut = cutting(layout, size)
        self.layout, self.tokens = layout, len(cut.places)
        inverse = np.empty(layout.size, dtype=np.int64)
        inverse[cut.places[cut.filled]] = np.flatnonzero(cut.filled)
        arrays = {"places": cut.places.clip(0), "filled": cut.filled, "positions": cut.positions, "inverse": inverse}
        for name, values in arrays.items():
            self.register_buffer(name, torch.from_numpy(values), persistent=False)
        self.register_buffer("mean", torch.zeros(layout.size))
        self.register_buffer("scale", torch.ones(layout.size))
        self.register_buffer("least", torch.full((layout.size,), torch.finfo().min))

    def cut(self, weights: torch.Tensor) -> torch.Tensor:
        """Return tokens (n, T, size) of flat weights (n, n_weights), standardised, padded with zeros."""
        return ((weights - self.mean) / self.scale)[:, self.places] * self.filled

    def join(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return flat weights of tokens: the inverse of ``cut``, with running variances at least those of training."""
        return torch.maximum(tokens.flatten(1)[:, self.inverse] * self.scale + self.mean, self.least)


class TokenEncoder(FittedEncoder):
    """Weights as tokens of ``size`` numbers through a transformer, for networks of several layouts (as text).

    The first layout is that of the run. If ``pooled``, a network has one latent, the mean over its tokens.
    """

    def __init__(self, layouts: Sequence[str], size: int, latent: int, pooled: bool, shape: Sequence[int] = Shape()):
        super().__init__()
        shape = Shape(*shape)
        self.about = {"layouts": list(layouts), "size": size, "latent": latent, "pooled": pooled, "shape": list(shape)}
        self.sequences = nn.ModuleList(TokenSequence(layout_from_text(layout), size) for layout in layouts)
        counts = torch.cat([sequence.positions for sequence in self.sequences]).max(0).values + 1
        self.network = TokenNetwork(size, latent, tuple(counts.tolist()), shape)
        self.pooled, self.window, self.halo = pooled, shape.window, shape.halo
        self._own = 0  # place of the layout that is encoded if none is named

    @property
    def latent(self) -> int:
        size = self.about["latent"]
        return size if self.pooled else size * self.sequence(None).tokens

    def of(self, layout: Layout) -> "TokenEncoder":
        encoder = copy(self)  # with the same parameters
        encoder._own = list(self.sequences).index(self.sequence(layout))
        return encoder

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        latents = self.token_latents(weights)
        return latents.mean(1) if self.pooled else latents.flatten(1)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        tokens = 1 if self.pooled else self.sequence(None).tokens
        return self.from_token_latents(latents.view(len(latents), tokens, -1))

    def embed(self, weights: torch.Tensor, layout: Layout) -> torch.Tensor:
        """Return model embeddings (n, latent) of weights of any known layout: the mean over its tokens."""
        return self.token_latents(weights, layout).mean(1)

    def sequence(self, layout: Layout | None) -> TokenSequence:
        """Return the sequence of a layout, one that the encoder was trained on; None: that of the run, or of ``of``."""
        if layout is None:
            return self.sequences[self._own]
        for sequence in self.sequences:
            if sequence.layout == layout._replace(activation=sequence.layout.activation):  # no outputs are computed
                return sequence
        raise ValueError("the encoder was not trained on networks of this width and number of classes")

    def token_latents(self, weights: torch.Tensor, layout: Layout | None = None) -> torch.Tensor:
        """Return latents of all tokens (n, T, latent)."""
        sequence = self.sequence(layout)
        tokens = sequence.cut(weights)
        return self._in_windows(sequence, lambda seen: self.network.encode(tokens[:, seen], sequence.positions[seen]))

    def from_token_latents(self, latents: torch.Tensor, layout: Layout | None = None) -> torch.Tensor:
        """Return flat weights (n, n_weights) of latents of all tokens, or of the network (n, 1, latent)."""
        sequence = self.sequence(layout)

        def decoded(seen: slice) -> torch.Tensor:
            return self.network.decode(latents if self.pooled else latents[:, seen], sequence.positions[seen])

        return sequence.join(self._in_windows(sequence, decoded))

    def _in_windows(self, sequence: TokenSequence, results: Callable[[slice], torch.Tensor]) -> torch.Tensor:
        windows = windows_of(sequence.tokens, self.window, self.halo)
        return torch.cat([window.core(results(window.seen)) for window in windows], dim=1)
