"""Encoders that begin with each parameter's PCA: `pca` alone, and `pca-ae`, an autoencoder after it (the thesis)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import nn

from wsl.files import Files
from wsl.images.tasks import TaskImages
from wsl.progress import NOWHERE, Progress
from wsl.recipe import Recipe
from wsl.weights.coefficients import LinearCodec, load_linear, owners, read_coefficients
from wsl.weights.encoders.base import WeightEncoder
from wsl.weights.encoders.behaviour import Behaviour
from wsl.weights.encoders.pca_ae import WeightAutoencoder
from wsl.weights.encoders.training import train_encoder
from wsl.weights.pca import ParameterPCA
from wsl.weights.snapshots import Snapshots
from wsl.zoo.layout import Entry

NUMBERS = 2**28  # of weights that are encoded or decoded at once
MOST = 256  # models


class LinearStage(nn.Module):
    """``LinearCodec`` as a differentiable module; its arrays are no part of its state.

    Args:
        linear: every parameter's PCA.
    """

    def __init__(self, linear: LinearCodec):
        super().__init__()
        self.codec = linear
        for place, parameter in enumerate(linear.parameters):
            for name in ("mean", "components"):
                self.register_buffer(f"{name}{place}", torch.from_numpy(getattr(parameter, name)), persistent=False)

    def _arrays(self) -> Iterator[tuple[ParameterPCA, Entry, torch.Tensor, torch.Tensor]]:
        for place, (parameter, entry) in enumerate(zip(self.codec.parameters, self.codec.layout.entries, strict=True)):
            yield parameter, entry, getattr(self, f"mean{place}"), getattr(self, f"components{place}")

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        """Return C (n, n_coefficients) of flat weights (n, n_weights)."""
        found = []
        for parameter, entry, mean, components in self._arrays():
            if parameter.mode != "mean":
                centred = weights[:, entry.columns] - mean
                found.append(centred if parameter.mode == "centred" else centred @ components.T)
        return torch.cat(found, dim=1)

    def decode(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Return flat weights (n, n_weights) of C (n, n_coefficients)."""
        sizes = [parameter.n_coefficients for parameter in self.codec.parameters]
        found = []
        for own, (parameter, _, mean, components) in zip(coefficients.split(sizes, 1), self._arrays(), strict=True):
            values = mean.expand(len(own), -1)
            if parameter.mode != "mean":
                values = values + (own if parameter.mode == "centred" else own @ components)
            # A linear map knows no bounds, and a negative running variance makes every output of the network NaN.
            found.append(values.clamp(min=parameter.minimum) if parameter.name.endswith("running_var") else values)
        return torch.cat(found, dim=1)


class PcaEncoder(WeightEncoder):
    """W -> C_m -> z_W.

    Args:
        linear: the first stage.
        latent, hidden, dropout: of the second, see ``WeightAutoencoder``; it has none where ``latent`` is None.
    """

    def __init__(self, linear: LinearCodec, latent: int | None, hidden: Sequence[int] = (), dropout: float = 0.0):
        super().__init__()
        self.linear = LinearStage(linear)
        self.autoencoder = WeightAutoencoder(linear.n_coefficients, latent, hidden, dropout)
        self.latent = linear.n_coefficients if latent is None else latent
        shape = {"latent": latent, "hidden": list(hidden), "dropout": dropout}
        self.about = {"kind": "pca" if latent is None else "pca-ae", **shape}

    @property
    def models_at_once(self) -> int:
        """As many as memory allows: all components are read a batch, so that many cost little more than one."""
        return min(max(NUMBERS // self.linear.codec.layout.size, 1), MOST)

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        return self.autoencoder.encode(self.linear.encode(weights))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.linear.decode(self.autoencoder.decode(latents))


def train_pca(
    train: str | Path,
    validation: str | Path,
    train_index: str | Path,
    validation_index: str | Path,
    fitted: Sequence[str | Path],
    out: str | Path,
    history: str | Path,
    checkpoints: str | Path,
    latent: int | None,
    hidden: Sequence[int],
    dropout: float,
    normalise: str,
    checkpoint_count: int,
    recipe: Recipe,
    seed: int,
    orders: int = 1,
    orders_seed: int = 0,
    behaviour: dict[str, float] | None = None,
    packed: Files = (),
    device: str = "cpu",
    progress: Progress = NOWHERE,
) -> None:
    """Train the second stage on training coefficients (eq. 3.1); without one there is nothing to train.

    Args:
        train, validation: coefficient files; train_index, validation_index: of the snapshots behind them.
        fitted: PCA files.
        out, history, checkpoints, checkpoint_count, recipe: see ``wsl.weights.encoders.training.train_encoder``.
        latent, hidden, dropout: see ``PcaEncoder``.
        normalise: see ``wsl.fitting.Standardiser.fit``.
        seed: of initial weights, batches and dropout.
        orders, orders_seed: class orders of the training coefficients.
        behaviour: ``weight`` of the behaviour loss beside eq. 3.1 per coefficient, and its ``queries``; None: not used.
        packed: packed images, a file a class, or a list of them, for the behaviour loss.
        device: ``cpu`` or ``cuda``.
        progress: keeps states of the fit, and gives the one to go on from.
    """
    data = {
        part: torch.from_numpy(read_coefficients(path)[0]).to(device)
        for part, path in (("train", train), ("validation", validation))
    }
    torch.manual_seed(seed)
    with (
        Snapshots(train_index, orders, orders_seed) as training,
        Snapshots(validation_index) as validating,
    ):
        encoder = PcaEncoder(load_linear(fitted, training.layout), latent, hidden, dropout).to(device)
        autoencoder = encoder.autoencoder
        autoencoder.normalised.fit(data["train"], normalise, owners(train, normalise))
        snapshots = {"train": training, "validation": validating}
        answers = behaviour and Behaviour(training.layout, TaskImages(packed), behaviour["queries"], device)

        def loss_of(part: str, rows: torch.Tensor) -> torch.Tensor:
            values = data[part][rows.to(device)]
            loss = autoencoder.loss(values)
            if answers:
                decoded = encoder.decode(autoencoder.encode(values))
                answered = answers.loss(snapshots[part], rows.tolist(), decoded)
                loss = loss / values.shape[1] + behaviour["weight"] * answered
            return loss

        files = (out, history, checkpoints)
        counts = {part: len(values) for part, values in data.items()}
        train_encoder(encoder, loss_of, counts, *files, checkpoint_count, recipe, seed, progress=progress)
