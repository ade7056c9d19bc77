"""The encoder `ae-pca`: non-linear first, linear after, the reverse of the thesis' order (section 5.1)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from wsl.fitting import mlp
from wsl.weights.encoders.base import WeightEncoder
from wsl.weights.pca import fit_pca
from wsl.zoo.layout import Layout

CHANNEL = 8  # numbers by which a network knows a channel


@dataclass(frozen=True)
class Compression:
    """How the two stages share the compression of a named parameter of d numbers to k.

    Attributes:
        channels: rows that the first stage sees one by one: output channels; a vector is one row.
        length: numbers in a row.
        codes: numbers that the first stage leaves of a row; as many as there are: it changes nothing.
        components: principal components that the second stage leaves of all rows' codes.
    """

    channels: int
    length: int
    codes: int
    components: int


def share_compression(shape: tuple[int, ...], components: int, share: float, snapshots: int) -> Compression:
    """Give each stage its share of a parameter's compression, on the scale of logarithms.

    The first stage leaves d * (k / d)**share numbers, but one a row at least: at 0 it does nothing (PCA alone), at 1 it
    does all that it can.

    Args:
        shape: of the parameter.
        components: k, never more than d or ``snapshots`` - 1.
        share: of the first stage, 0 to 1.
        snapshots: of training.
    """
    channels = shape[0] if len(shape) > 1 else 1
    numbers = int(np.prod(shape))
    length = numbers // channels
    wanted = min(components, numbers, snapshots - 1)
    codes = min(length, max(1, round(length * (wanted / numbers) ** share)))
    return Compression(channels, length, codes, min(wanted, channels * codes))


class RowAutoencoder(nn.Module):
    """Encodes rows of weights, each output channel's, with a bend: a linear map and a network beside it.

    The network knows which channel it sees. It ends in zeros at first, so that training starts from the linear map.

    Args:
        sizes: see ``Compression``.
        hidden: layers of the network, mirrored in the decoder.
        dropout: after each.
    """

    def __init__(self, sizes: Compression, hidden: Sequence[int], dropout: float):
        super().__init__()
        self.linear = nn.Linear(sizes.length, sizes.codes, bias=False)
        self.back = nn.Linear(sizes.codes, sizes.length, bias=False)
        self.channels = nn.Embedding(sizes.channels, CHANNEL)
        self.bend = mlp([sizes.length + CHANNEL, *hidden, sizes.codes], dropout)
        self.unbend = mlp([sizes.codes + CHANNEL, *reversed(hidden), sizes.length], dropout)
        for last in (self.bend[-1], self.unbend[-1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def start(self, rows: torch.Tensor) -> None:
        """Begin at the principal components of rows (n, length)."""
        _, vectors = torch.linalg.eigh(rows.double().T @ rows.double())
        components = vectors.flip(1)[:, : self.linear.out_features].T.float()
        with torch.no_grad():
            self.linear.weight.copy_(components)
            self.back.weight.copy_(components.T)

    def encode(self, rows: torch.Tensor) -> torch.Tensor:
        """Return codes (n, channels, codes) of rows (n, channels, length)."""
        return self.linear(rows) + self.bend(self._named(rows))

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Return rows (n, channels, length) of codes (n, channels, codes)."""
        return self.back(codes) + self.unbend(self._named(codes))

    def _named(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.cat([rows, self.channels.weight.expand(len(rows), -1, -1)], dim=2)


class ChannelEncoder(WeightEncoder):
    """Each parameter's rows through an autoencoder, then PCA over all of the parameter's codes.

    Args:
        layout: of the weights.
        stages: a ``Compression`` a parameter, or a dict of its attributes.
        hidden, dropout: see ``RowAutoencoder``.
    """

    def __init__(
        self, layout: Layout, stages: Sequence[Compression | dict[str, int]], hidden: Sequence[int], dropout: float
    ):
        super().__init__()
        self.layout = layout
        self.stages = [one if isinstance(one, Compression) else Compression(**one) for one in stages]
        self.rows = nn.ModuleList(
            RowAutoencoder(one, hidden, dropout) if one.codes < one.length else nn.Identity() for one in self.stages
        )
        self.latent = sum(one.components for one in self.stages)
        shape = {"stages": [asdict(one) for one in self.stages], "hidden": list(hidden), "dropout": dropout}
        self.about: dict[str, Any] = {"kind": "ae-pca", **shape}
        self.register_buffer("mean", torch.zeros(layout.size))
        self.register_buffer("scale", torch.ones(len(self.stages)))
        self.register_buffer("least", torch.full((len(self.stages),), torch.finfo().min))
        for place, one in enumerate(self.stages):
            self.register_buffer(f"centre{place}", torch.zeros(one.channels * one.codes))
            self.register_buffer(f"components{place}", torch.zeros(one.components, one.channels * one.codes))

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        found = []
        for place in self._places():
            codes = self.codes(place, self.standard(place, weights))
            found.append((codes - getattr(self, f"centre{place}")) @ getattr(self, f"components{place}").T)
        return torch.cat(found, dim=1)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        found = []
        for place, own in enumerate(latents.split([one.components for one in self.stages], dim=1)):
            codes = getattr(self, f"centre{place}") + own @ getattr(self, f"components{place}")
            entry = self.layout.entries[place]
            values = self.mean[entry.columns] + self.scale[place] * self.values(place, codes)
            found.append(values.clamp(min=float(self.least[place])) if entry.variance else values)
        return torch.cat(found, dim=1)

    def standard(self, place: int, weights: torch.Tensor) -> torch.Tensor:
        """Return a parameter's numbers (n, d) in units of its own deviation, around the mean of the training ones."""
        columns = self.layout.entries[place].columns
        return (weights[:, columns] - self.mean[columns]) / self.scale[place]

    def codes(self, place: int, values: torch.Tensor) -> torch.Tensor:
        """Return the first stage's codes (n, channels * codes) of a parameter's standardised numbers (n, d)."""
        one, module = self.stages[place], self.rows[place]
        if isinstance(module, nn.Identity):
            return values
        return module.encode(values.view(len(values), one.channels, one.length)).flatten(1)

    def values(self, place: int, codes: torch.Tensor) -> torch.Tensor:
        """Return standardised numbers (n, d) of codes."""
        one, module = self.stages[place], self.rows[place]
        if isinstance(module, nn.Identity):
            return codes
        return module.decode(codes.view(len(codes), one.channels, one.codes)).flatten(1)

    def loss(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the first stage's squared error over standardised numbers, averaged over numbers and models."""
        total = weights.new_zeros(())
        for place in self._places():
            if not isinstance(self.rows[place], nn.Identity):
                values = self.standard(place, weights)
                total = total + (self.values(place, self.codes(place, values)) - values).pow(2).sum()
        return total / weights.numel()

    @torch.no_grad()
    def fit_second(self, place: int, values: torch.Tensor, seed: int) -> None:
        """Fit the second stage of a parameter: PCA over the codes of standardised training numbers (n, d)."""
        codes = torch.cat([self.codes(place, some) for some in values.split(64)]).cpu().numpy()
        name, wanted = self.layout.entries[place].name, self.stages[place].components
        limits = {"variance_threshold": 0.0, "dimension_limit": 0, "components": wanted}
        fitted = fit_pca(name, lambda part: codes[:, part], len(codes), codes.shape[1], **limits, seed=seed)
        getattr(self, f"centre{place}").copy_(torch.from_numpy(fitted.mean))
        components = getattr(self, f"components{place}").zero_()  # directions without variance are left out
        components[: len(fitted.components)] = torch.from_numpy(fitted.components)

    def _places(self) -> range:
        return range(len(self.stages))
