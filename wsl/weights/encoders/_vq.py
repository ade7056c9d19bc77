"""The module behind `vq`: networks as sequences of codes, the numbers of the entries nearest to their chunks."""

import torch

from wsl.weights.encoders._token_encoder import TokenSequence, in_windows
from wsl.weights.encoders._token_network import Shape, TokenNetwork
from wsl.weights.encoders.tokens import chunks_of, tokens_of
from wsl.weights.fitted import FittedEncoder
from wsl.zoo.layout import layout_from_text

CUTS = {"channels": tokens_of, "flat": chunks_of}
WINDOW = 128, 16  # chunks that are read at once, and further ones on either side


class VqEncoder(FittedEncoder):
    """W -> chunks -> the entries of a codebook nearest to their vectors -> W.

    z_W are the entries of all codes, one after the other. ``encode`` is piecewise constant, so only ``decode`` has
    gradients; it decodes any vectors, not only entries.

    Args:
        layout: of the networks, as text.
        cut: how weights are cut into chunks, of ``CUTS``.
        size: numbers per chunk.
        codes: codes per chunk.
        entries: number of entries of the codebook.
        dim: numbers per entry.
        width, depth: of the transformers.
    """

    def __init__(self, layout: str, cut: str, size: int, codes: int, entries: int, dim: int, width: int, depth: int):
        super().__init__()
        self.about = {"layout": layout, "cut": cut, "size": size, "codes": codes}
        self.about |= {"entries": entries, "dim": dim, "width": width, "depth": depth}
        networks = layout_from_text(layout)
        self.sequence = TokenSequence(networks, CUTS[cut](networks, size))
        counts = (self.sequence.positions.max(0).values + 1).tolist()
        self.network = TokenNetwork(size, codes * dim, tuple(counts), Shape(width, depth))
        self.register_buffer("codebook", torch.zeros(entries, dim))

    @property
    def tokens(self) -> int:
        """Number of codes of a network, T."""
        return self.sequence.tokens * self.about["codes"]

    @property
    def latent(self) -> int:
        return self.tokens * self.about["dim"]

    def vectors(self, weights: torch.Tensor) -> torch.Tensor:
        """Return what is quantised (n, T, dim) of flat weights (n, n_weights)."""
        chunks, place = self.sequence.cut(weights), self.network.reading(self.sequence.positions)
        windows = self.sequence.tokens, *WINDOW
        encoded = in_windows(lambda seen: self.network.encode(chunks[:, seen], place[seen]), *windows)
        return encoded.reshape(len(weights), self.tokens, -1)

    def chunks(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return standardised chunks (n, chunks, size) of vectors (n, T, dim)."""
        joined = vectors.reshape(len(vectors), self.sequence.tokens, -1)
        place = self.network.writing(self.sequence.positions)
        windows = self.sequence.tokens, *WINDOW
        return in_windows(lambda seen: self.network.decode(joined[:, seen], place[seen]), *windows)

    def nearest(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the codes, int64 (n, T), of vectors (n, T, dim)."""
        return torch.cdist(vectors.flatten(0, 1), self.codebook).argmin(1).view(vectors.shape[:2])

    def codes(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the codes, int64 (n, T), of flat weights (n, n_weights)."""
        return self.nearest(self.vectors(weights))

    def from_codes(self, codes: torch.Tensor) -> torch.Tensor:
        """Return flat weights (n, n_weights) of codes (n, T)."""
        return self.from_token_latents(self.codebook[codes])

    def token_latents(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the entries of all codes (n, T, dim)."""
        return self.codebook[self.codes(weights)]

    def from_token_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Return flat weights (n, n_weights) of vectors (n, T, dim)."""
        return self.sequence.join(self.chunks(latents))

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        return self.token_latents(weights).flatten(1)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.from_token_latents(latents.view(len(latents), self.tokens, -1))

    def features(self, latents: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"all": latents, "token-mean": latents.unflatten(1, (self.sequence.tokens, -1)).mean(1)}  # of chunks

    def facts(self, latents: torch.Tensor) -> dict[str, float]:
        """Return the use of the codebook by z_W (n, latent): see ``use_of``."""
        return use_of(counts_of(self.nearest(latents.view(len(latents), self.tokens, -1)), len(self.codebook)))


def counts_of(codes: torch.Tensor, entries: int) -> torch.Tensor:
    """Return how often each of the T codes (n, T) is each entry (T, entries)."""
    counts = torch.zeros(codes.shape[1], entries, dtype=torch.int64, device=codes.device)
    return counts.scatter_add_(1, codes.T, torch.ones_like(codes.T))


def use_of(counts: torch.Tensor) -> dict[str, float]:
    """Return the use of a codebook, by counts (T, entries).

    ``codes_used`` is the number of entries that occur. ``perplexity`` is exp(H) of their frequencies, the number of
    equally frequent entries that would be as random. ``perplexity_per_code`` is exp of the mean over the T codes of
    the entropy over networks: 1 if all networks have the same codes.
    """
    total = counts.sum(0)
    return {
        "codes_used": float((total > 0).sum()),
        "perplexity": float(_entropy(total).exp()),
        "perplexity_per_code": float(_entropy(counts).mean().exp()),
    }


def _entropy(counts: torch.Tensor) -> torch.Tensor:
    """Return the entropy in nats of counts (..., entries)."""
    frequencies = counts.double() / counts.sum(-1, keepdim=True)
    return -torch.special.xlogy(frequencies, frequencies).sum(-1)
