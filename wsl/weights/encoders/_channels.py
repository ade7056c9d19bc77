"""The modules and the fit of `ae-pca`: the first stage by gradient steps, the second by PCA."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import prod

import numpy as np
import torch
from torch import nn

from wsl.training.fitting import mlp
from wsl.weights.encoders.ae_pca import AutoencoderPca
from wsl.weights.fitted import FittedEncoder
from wsl.weights.orders import reorder_head
from wsl.weights.pca import ParameterPCA, bounded
from wsl.weights.pca_settings import PcaSettings
from wsl.weights.snapshots import Snapshots
from wsl.weights.training import EncoderData, Training
from wsl.zoo.index import read_weights
from wsl.zoo.layout import Layout

CHANNEL = 8  # size of the learned embedding of a channel
STARTING = 64  # number of snapshots for the initial linear map of the first stage


@dataclass(frozen=True)
class Compression:
    """Sizes of both stages for one named parameter."""

    channels: int  # rows that the first stage encodes one by one: output channels; a vector is one row
    length: int  # numbers per row
    codes: int  # codes of the first stage per row; if equal to ``length``, the first stage is the identity
    components: int  # principal components of the codes of all rows, in the second stage


def share_compression(shape: tuple[int, ...], components: int, share: float, snapshots: int) -> Compression:
    """Split the log compression ratio of a parameter of d numbers, to k ``components``, between both stages.

    The first stage leaves d * (k / d)**share numbers, but at least one per row: at 0 it does nothing (PCA alone), at 1
    it compresses as far as it can. k is limited to d and ``snapshots`` - 1.
    """
    channels = shape[0] if len(shape) > 1 else 1
    numbers = prod(shape)
    length = numbers // channels
    components = min(components, numbers, snapshots - 1)
    codes = min(length, max(1, round(length * (components / numbers) ** share)))
    return Compression(channels, length, codes, min(components, channels * codes))


class RowAutoencoder(nn.Module):
    """Encodes rows of weights, one per output channel, by a linear map plus a network.

    The network also reads an embedding of the channel. Its hidden layers are mirrored in the decoder. Its last layer
    starts at zero, so that training starts from the linear map.
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
        """Set the linear map to the principal components of rows (n, length)."""
        _, vectors = torch.linalg.eigh(rows.double().T @ rows.double())
        components = vectors.flip(1)[:, : self.linear.out_features].T.float()
        with torch.no_grad():
            self.linear.weight.copy_(components)
            self.back.weight.copy_(components.T)

    def encode(self, rows: torch.Tensor) -> torch.Tensor:
        """Return codes (n, channels, codes) of rows (n, channels, length)."""
        return self.linear(rows) + self.bend(self._with_channels(rows))

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Return rows (n, channels, length) of codes (n, channels, codes)."""
        return self.back(codes) + self.unbend(self._with_channels(codes))

    def _with_channels(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.cat([rows, self.channels.weight.expand(len(rows), -1, -1)], dim=2)


class SameRows(nn.Module):
    """The first stage of parameters that it does not compress."""

    def encode(self, rows: torch.Tensor) -> torch.Tensor:
        return rows

    decode = encode


class ChannelEncoder(FittedEncoder):
    """An autoencoder of the rows of each parameter, then PCA of all codes of the parameter.

    ``stages`` has one ``Compression`` per parameter, or a dict of its attributes.
    """

    def __init__(
        self, layout: Layout, stages: Sequence[Compression | dict[str, int]], hidden: Sequence[int], dropout: float
    ):
        super().__init__()
        self.layout = layout
        self.stages = [stage if isinstance(stage, Compression) else Compression(**stage) for stage in stages]
        self.rows = nn.ModuleList(
            RowAutoencoder(stage, hidden, dropout) if stage.codes < stage.length else SameRows()
            for stage in self.stages
        )
        self.latent = sum(stage.components for stage in self.stages)
        self.about = {"stages": [asdict(stage) for stage in self.stages], "hidden": list(hidden), "dropout": dropout}
        self.register_buffer("mean", torch.zeros(layout.size))
        self.register_buffer("scale", torch.ones(len(self.stages)))
        self.register_buffer("least", torch.full((len(self.stages),), torch.finfo().min))
        for place, stage in enumerate(self.stages):
            self.register_buffer(f"centre{place}", torch.zeros(stage.channels * stage.codes))
            self.register_buffer(f"components{place}", torch.zeros(stage.components, stage.channels * stage.codes))

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        latents = []
        for place, entry in enumerate(self.layout.entries):
            codes = self.codes(place, weights[:, entry.columns])
            latents.append((codes - getattr(self, f"centre{place}")) @ getattr(self, f"components{place}").T)
        return torch.cat(latents, dim=1)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        decoded = []
        for place, block in enumerate(latents.split([stage.components for stage in self.stages], dim=1)):
            codes = getattr(self, f"centre{place}") + block @ getattr(self, f"components{place}")
            name = self.layout.entries[place].name
            decoded.append(bounded(self.values(place, codes), name, float(self.least[place])))
        return torch.cat(decoded, dim=1)

    def through_first_stage(self, weights: torch.Tensor) -> torch.Tensor:
        """Return flat weights (n, n_weights) reconstructed by the first stage alone."""
        entries = enumerate(self.layout.entries)
        return torch.cat([self.values(i, self.codes(i, weights[:, entry.columns])) for i, entry in entries], dim=1)

    def standard_rows(self, place: int, values: torch.Tensor) -> torch.Tensor:
        """Return standardised rows (n, channels, length) of the numbers (n, d) of a parameter."""
        standard = (values - self.mean[self.layout.entries[place].columns]) / self.scale[place]
        return standard.unflatten(1, (self.stages[place].channels, -1))

    def codes(self, place: int, values: torch.Tensor) -> torch.Tensor:
        """Return codes of the first stage (n, channels * codes) of the numbers (n, d) of a parameter."""
        return self.rows[place].encode(self.standard_rows(place, values)).flatten(1)

    def values(self, place: int, codes: torch.Tensor) -> torch.Tensor:
        """Return the numbers (n, d) of a parameter from codes of the first stage: the inverse of ``codes``."""
        rows = self.rows[place].decode(codes.unflatten(1, (self.stages[place].channels, -1)))
        return self.mean[self.layout.entries[place].columns] + self.scale[place] * rows.flatten(1)

    def loss(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the squared error of the first stage over standardised numbers, averaged over numbers and models."""
        total = weights.new_zeros(())
        for place, module in enumerate(self.rows):
            if isinstance(module, RowAutoencoder):
                rows = self.standard_rows(place, weights[:, self.layout.entries[place].columns])
                total = total + (module.decode(module.encode(rows)) - rows).pow(2).sum()
        return total / weights.numel()

    @torch.no_grad()
    def fit_first(self, training: Snapshots) -> None:
        """Set means, deviations and minima of training snapshots, and initialise the first stage."""
        for place, values in _parameters(training):
            self.mean[self.layout.entries[place].columns] = values.mean(0)
            self.scale[place] = values.var(0, correction=0).mean().sqrt().clamp(min=1e-12)
            self.least[place] = values.min()
            if isinstance(self.rows[place], RowAutoencoder):
                sample = values[:: max(1, len(values) // STARTING)]
                rows = (sample - values.mean(0)) / self.scale[place].cpu()
                self.rows[place].start(rows.reshape(-1, self.stages[place].length))

    @torch.no_grad()
    def fit_second(self, training: Snapshots, seed: int, device: str = "cpu") -> None:
        """Fit the second stage: PCA of the codes of every parameter in all training rows."""
        for place, values in _parameters(training):
            codes = torch.cat([self.codes(place, batch) for batch in values.to(device).split(64)]).cpu().numpy()
            components = self.stages[place].components
            settings = PcaSettings(variance_threshold=0.0, dimension_limit=0, components=components)
            name = self.layout.entries[place].name
            fitted = ParameterPCA.fit(name, lambda part, codes=codes: codes[:, part], codes.shape, settings, seed)
            getattr(self, f"centre{place}").copy_(torch.from_numpy(fitted.mean))
            components = getattr(self, f"components{place}").zero_()  # directions without variance are left out
            components[: len(fitted.components)] = torch.from_numpy(fitted.components)


def prepare(data: EncoderData, settings: AutoencoderPca) -> Training:
    """Prepare the fit of an encoder to whole snapshots."""
    layout, device, seed = data.training.layout, data.job.device, data.job.seed
    limits = settings.components, settings.share, data.training.count
    stages = [share_compression(entry.shape, *limits) for entry in layout.entries]
    encoder = ChannelEncoder(layout, stages, settings.hidden, settings.dropout).to(device)
    encoder.fit_first(data.training)
    behaviour_loss = data.behaviour(settings.behaviour)

    def loss(part: str, rows: torch.Tensor) -> torch.Tensor:
        snapshots = data.parts[part]
        weights = snapshots.weights(rows.tolist()).to(device)
        total = encoder.loss(weights)
        if behaviour_loss:
            total = total + behaviour_loss(snapshots, rows.tolist(), encoder.through_first_stage(weights))
        return total

    counts = {part: len(snapshots) for part, snapshots in data.parts.items()}
    return Training(encoder, loss, counts, finish=lambda: encoder.fit_second(data.training, seed, device))


def _parameters(training: Snapshots) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield the place of each parameter and its numbers in all training rows (n, d); the head in all class orders."""
    for place, entry in enumerate(training.layout.entries):
        values = read_weights(training.zoo, columns=entry.columns)
        if entry.name in training.layout.head:
            values = np.concatenate([reorder_head(values, order) for order in training.orders])
        yield place, torch.from_numpy(values)
