"""The module behind `sane`, one latent per token (Schürholt et al. 2024), and `contrastive`, one per network."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from wsl.weights.encoders._token_network import Shape, TokenNetwork
from wsl.weights.encoders.tokens import Norms, Tokens, tokens_of
from wsl.weights.fitted import FittedEncoder
from wsl.zoo.layout import Layout, layout_from_text

TOGETHER = 2**22  # numbers in tokens that are encoded or decoded at once


class Window(NamedTuple):
    """Tokens that are read together, and those among them whose results are kept: all without the halo."""

    seen: slice
    kept: slice


def windows_of(tokens: int, window: int, halo: int) -> list[Window]:
    """Cut a sequence into windows of equal length, of which all but ``halo`` tokens at either end are kept.

    At an end of the sequence there is no halo, and a window reads more on its other side (SANE). A sequence of at most
    ``window`` tokens is one window.
    """
    if tokens <= window:
        return [Window(slice(0, tokens), slice(0, tokens))]
    kept, windows = window - 2 * halo, []
    for start in range(0, tokens, kept):
        first = min(max(0, start - halo), tokens - window)
        windows.append(Window(slice(first, first + window), slice(start, min(tokens, start + kept))))
    return windows


def in_windows(results: Callable[[slice], torch.Tensor], tokens: int, window: int, halo: int) -> torch.Tensor:
    """Return results of all tokens (n, tokens, ...); ``results`` returns those of the tokens of a slice (n, seen, ...).

    See ``windows_of``.
    """
    parts = []
    for seen, kept in windows_of(tokens, window, halo):
        parts.append(results(seen)[:, kept.start - seen.start : kept.stop - seen.start])
    return torch.cat(parts, dim=1)


def networks_of(index: torch.Tensor, networks: int) -> torch.Tensor:
    """Return the network of each window (windows, 1, 1), which has as many as the others, of ``index`` (windows, t)."""
    return torch.arange(len(index), device=index.device)[:, None, None] // (len(index) // networks)


class TokenSequence(nn.Module):
    """Flat weights of one layout <-> standardised tokens, which are cut as in ``cut``."""

    def __init__(self, layout: Layout, cut: Tokens):
        super().__init__()
        self.layout, self.tokens = layout, len(cut.places)
        inverse = np.empty(layout.size, dtype=np.int64)
        inverse[cut.places[cut.filled]] = np.flatnonzero(cut.filled)
        arrays = {"places": cut.places.clip(0), "filled": cut.filled, "positions": cut.positions, "inverse": inverse}
        for name, values in arrays.items():
            self.register_buffer(name, torch.from_numpy(values), persistent=False)
        self.register_buffer("mean", torch.zeros(layout.size))
        self.register_buffer("scale", torch.ones(layout.size))
        self.register_buffer("least", torch.full((layout.size,), torch.finfo().min))

    def cut(self, weights: torch.Tensor, index: torch.Tensor | None = None) -> torch.Tensor:
        """Return tokens (n, T, size) of flat weights (n, n_weights), standardised, padded with zeros.

        With ``index`` (windows, t), as many of each network in turn: those tokens alone (windows, t, size).
        """
        if index is None:
            return ((weights - self.mean) / self.scale)[:, self.places] * self.filled
        places = self.places[index]
        values = weights[networks_of(index, len(weights)), places]
        return (values - self.mean[places]) / self.scale[places] * self.filled[index]

    def join(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return flat weights of tokens: the inverse of ``cut``, with running variances at least those of training."""
        return torch.maximum(tokens.flatten(1)[:, self.inverse] * self.scale + self.mean, self.least)


class TokenEncoder(FittedEncoder):
    """Weights as tokens of ``size`` numbers through a transformer, for networks of several layouts (as text).

    The first layout is that of the run. If ``pooled``, a network has one latent, the mean over its tokens. ``windows``:
    tokens that are read at once, and those of them at either end that are context only.
    """

    def __init__(
        self,
        layouts: Sequence[str],
        size: int,
        latent: int,
        pooled: bool,
        shape: Sequence[int] = Shape(),
        windows: Sequence[int] = (160, 16),
        norms: Norms = "own",
    ):
        super().__init__()
        self.about = {"layouts": list(layouts), "size": size, "latent": latent, "pooled": pooled}
        self.about |= {"shape": list(shape), "windows": list(windows), "norms": norms}
        self.sequences = nn.ModuleList(
            TokenSequence(layout, tokens_of(layout, size, norms)) for layout in map(layout_from_text, layouts)
        )
        counts = torch.cat([sequence.positions for sequence in self.sequences]).max(0).values + 1
        self.network = TokenNetwork(size, latent, tuple(counts.tolist()), Shape(*shape))
        self.pooled, (self.window, self.halo) = pooled, windows
        self._own = 0  # place of the layout that is encoded if none is named

    @property
    def tokens(self) -> int:
        """Number of latents of a network: one per token, or one."""
        return 1 if self.pooled else self.sequence(None).tokens

    @property
    def latent(self) -> int:
        return self.about["latent"] * self.tokens

    @property
    def models_at_once(self) -> int:
        return max(1, min(256, TOGETHER // self.sequence(None).places.numel()))

    def of(self, layout: Layout) -> "TokenEncoder":
        encoder = copy(self)  # with the same parameters
        encoder._own = list(self.sequences).index(self.sequence(layout))
        return encoder

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        latents = self.token_latents(weights)
        return latents.mean(1) if self.pooled else latents.flatten(1)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.from_token_latents(latents.view(len(latents), self.tokens, -1))

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
        tokens, place = sequence.cut(weights), self.network.reading(sequence.positions)
        windows = sequence.tokens, self.window, self.halo
        return in_windows(lambda seen: self.network.encode(tokens[:, seen], place[seen]), *windows)

    def from_token_latents(self, latents: torch.Tensor, layout: Layout | None = None) -> torch.Tensor:
        """Return flat weights (n, n_weights) of latents of all tokens, or of the network (n, 1, latent)."""
        sequence = self.sequence(layout)
        place = self.network.writing(sequence.positions)

        def decoded(seen: slice) -> torch.Tensor:
            return self.network.decode(latents if self.pooled else latents[:, seen], place[seen])

        return sequence.join(in_windows(decoded, sequence.tokens, self.window, self.halo))

    def through(
        self, sequence: TokenSequence, tokens: torch.Tensor, index: torch.Tensor | None, windows: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return decoded tokens, and the mean latents of networks (n, latent), for training.

        ``tokens`` (n * windows, t, size) are windows that begin anywhere, see ``TokenSequence.cut``.
        """
        network, views = self.network, 1 if index is None else len(tokens) // len(index)
        reading, writing = (
            place if index is None else place[index].repeat(views, 1, 1)
            for place in (network.reading(sequence.positions), network.writing(sequence.positions))
        )
        latents = network.encode(tokens, reading)
        whole = latents.unflatten(0, (-1, windows)).mean((1, 2))
        kept = whole.repeat_interleave(windows, 0)[:, None] if self.pooled else latents
        return network.decode(kept, writing), whole
