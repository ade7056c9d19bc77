"""The module behind `hyper`: a transformer over a whole network, with one latent (Schürholt et al. 2022, NeurIPS)."""

from collections.abc import Sequence

import torch
from torch import nn

from wsl.weights.encoders._token_encoder import TokenSequence
from wsl.weights.encoders._token_network import Positions, Shape, transformer
from wsl.weights.encoders.tokens import Norms, tokens_of
from wsl.weights.fitted import FittedEncoder
from wsl.zoo.layout import Layout, layout_from_text


class LayerMaps(nn.Module):
    """A linear map of its own for the tokens of each layer; ``counts`` are the tokens of the layers."""

    def __init__(self, counts: Sequence[int], into: int, out: int):
        super().__init__()
        self.counts, self.maps = list(counts), nn.ModuleList(nn.Linear(into, out) for _ in counts)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return tokens (n, T, out) of tokens (n, T, into)."""
        parts = zip(self.maps, tokens.split(self.counts, 1), strict=True)
        return torch.cat([linear(part) for linear, part in parts], 1)


class HyperEncoder(FittedEncoder):
    """All T tokens of a network -> one latent -> T tokens.

    Tokens of each layer have maps of their own to the width of the transformer and back. Between them, one linear map
    makes the latent of all T * width numbers, and another one gives them back. This is what distinguishes it from
    ``TokenEncoder``, whose latent of a network is a mean over tokens, of any number, and is the same for all of them.
    """

    def __init__(
        self, layouts: Sequence[str], size: int, latent: int, shape: Sequence[int] = Shape(), norms: Norms = "own"
    ):
        super().__init__()
        (layout,), shape = layouts, Shape(*shape)
        self.about = {"layouts": [layout], "size": size, "latent": latent, "shape": list(shape), "norms": norms}
        self.latent = latent
        network = layout_from_text(layout)
        self.sequences = nn.ModuleList([TokenSequence(network, tokens_of(network, size, norms))])
        positions, width = self.sequences[0].positions, shape.width
        self.window, counts = len(positions), positions[:, 1].bincount().tolist()
        sizes = tuple((positions.max(0).values + 1).tolist())
        self.read, self.write = LayerMaps(counts, size, width), LayerMaps(counts, width, size)
        self.reading, self.writing = Positions(sizes, width), Positions(sizes, width)
        self.encoder, self.decoder = transformer(shape), transformer(shape)
        self.narrow, self.widen = nn.Linear(len(positions) * width, latent), nn.Linear(latent, len(positions) * width)

    @property
    def models_at_once(self) -> int:
        return 64

    def sequence(self, layout: Layout | None) -> TokenSequence:
        """Return the sequence of the one layout."""
        return self.sequences[0]

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        return self._encode(self.sequences[0].cut(weights))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.sequences[0].join(self._decode(latents))

    def of(self, layout: Layout) -> "HyperEncoder":
        return self

    def through(
        self, sequence: TokenSequence, tokens: torch.Tensor, index: None = None, windows: int = 1
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return decoded tokens (n, T, size) and latents (n, latent) of tokens, for training."""
        latents = self._encode(tokens)
        return self._decode(latents), latents

    def _encode(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(self.read(tokens) + self.reading(self.sequences[0].positions))
        return self.narrow(hidden.flatten(1))

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        hidden = self.widen(latents).unflatten(1, (self.window, -1)) + self.writing(self.sequences[0].positions)
        return self.write(self.decoder(hidden))
