"""The encoders `sane`, a latent a token (Schürholt et al. 2024), and `contrastive`, one a network (eq. 2.8)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from wsl.weights.encoders.base import WeightEncoder
from wsl.weights.encoders.token_network import TokenNetwork, windows_of
from wsl.weights.encoders.tokens import Tokens, tokens_of
from wsl.zoo.layout import Layout, layout_from_text


class TokenSequence(nn.Module):
    """Flat weights of one layout <-> standardised tokens.

    Args:
        layout: of the weights.
        size: numbers in a token.
    """

    def __init__(self, layout: Layout, size: int):
        super().__init__()
        cut: Tokens = tokens_of(layout, size)
        self.layout, self.tokens = layout, len(cut.places)
        inverse = np.empty(layout.size, dtype=np.int64)
        inverse[cut.places[cut.filled]] = np.flatnonzero(cut.filled)
        for name, values in {
            "places": cut.places.clip(0),
            "filled": cut.filled,
            "positions": cut.positions,
            "inverse": inverse,
        }.items():
            self.register_buffer(name, torch.from_numpy(values), persistent=False)
        self.register_buffer("mean", torch.zeros(layout.size))
        self.register_buffer("scale", torch.ones(layout.size))
        self.register_buffer("least", torch.full((layout.size,), torch.finfo().min))

    def cut(self, weights: torch.Tensor) -> torch.Tensor:
        """Return tokens (n, T, size) of flat weights (n, n_weights), standardised, padded with zeros."""
        return ((weights - self.mean) / self.scale)[:, self.places] * self.filled

    def join(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return flat weights of tokens: the inverse of ``cut``; running variances no lower than training's least."""
        return torch.maximum(tokens.flatten(1)[:, self.inverse] * self.scale + self.mean, self.least)


class TokenEncoder(WeightEncoder):
    """Weights as tokens through a transformer.

    Args:
        layouts: as text, of all networks that it encodes; the first is the run's own.
        size: numbers in a token.
        latent: numbers in a token's latent (``sane``) or in a network's (``contrastive``).
        width, depth, heads: see ``TokenNetwork``.
        window, halo: see ``windows_of``.
        kind: ``sane`` or ``contrastive``.
    """

    def __init__(
        self,
        layouts: Sequence[str],
        size: int,
        latent: int,
        width: int,
        depth: int,
        heads: int,
        window: int,
        halo: int,
        kind: str,
    ):
        super().__init__()
        self.sequences = nn.ModuleList(TokenSequence(layout_from_text(layout), size) for layout in layouts)
        most = torch.stack([one.positions.max(0).values for one in self.sequences]).max(0).values + 1
        self.pooled = kind == "contrastive"
        self.network = TokenNetwork(size, latent, tuple(most.tolist()), width, depth, heads, self.pooled)
        self.window, self.halo = window, halo
        self.latent = latent if self.pooled else latent * self.sequences[0].tokens
        network = {"size": size, "latent": latent, "width": width, "depth": depth, "heads": heads}
        self.about: dict[str, Any] = {
            **network,
            **{"kind": kind, "layouts": list(layouts), "window": window, "halo": halo},
        }

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        latents = self.token_latents(weights)
        return latents.mean(1) if self.pooled else latents.flatten(1)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        tokens = 1 if self.pooled else self.sequences[0].tokens
        return self.from_token_latents(latents.view(len(latents), tokens, -1))

    def embed(self, weights: torch.Tensor, layout: Layout) -> torch.Tensor:
        """Return a model embedding (n, latent a token) of weights of any known layout: the mean over its tokens."""
        return self.token_latents(weights, layout).mean(1)

    def sequence(self, layout: Layout | None) -> TokenSequence:
        """Return what cuts a layout; None: the run's own.

        Raises:
            ValueError: the encoder has not been trained on it.
        """
        if layout is None:
            return self.sequences[0]
        for one in self.sequences:
            if one.layout == layout._replace(activation=one.layout.activation):  # no network is run here
                return one
        raise ValueError("the encoder knows no networks of this width and number of classes")

    def token_latents(self, weights: torch.Tensor, layout: Layout | None = None) -> torch.Tensor:
        """Return latents of every token (n, T, latent)."""
        sequence = self.sequence(layout)
        tokens = sequence.cut(weights)
        return self._in_windows(sequence, lambda seen: self.network.encode(tokens[:, seen], sequence.positions[seen]))

    def from_token_latents(self, latents: torch.Tensor, layout: Layout | None = None) -> torch.Tensor:
        """Return flat weights (n, n_weights) of latents of every token, or of the whole network (n, 1, latent)."""
        sequence = self.sequence(layout)

        def decoded(seen: slice) -> torch.Tensor:
            return self.network.decode(latents if self.pooled else latents[:, seen], sequence.positions[seen])

        return sequence.join(self._in_windows(sequence, decoded))

    def _in_windows(self, sequence: TokenSequence, results: Callable[[slice], torch.Tensor]) -> torch.Tensor:
        windows = windows_of(sequence.tokens, self.window, self.halo)
        return torch.cat([window.core(results(window.seen)) for window in windows], dim=1)
