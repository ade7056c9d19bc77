"""The second stage of compression: an autoencoder of normalised coefficients (section 3.2.1, eq. 3.1)."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wsl.files import write_csv
from wsl.fitting import Standardiser, fit, mlp
from wsl.recipe import Recipe
from wsl.tensors import read_tensors, write_tensors
from wsl.weights.coefficients import owners, read_coefficients

log = logging.getLogger(__name__)


class WeightAutoencoder(nn.Module):
    """C_m -> z_W -> C_m.

    Normalisation by training statistics is part of the module, so both ends are raw coefficients.

    Args:
        coefficients: numbers in C_m.
        latent: numbers in z_W.
        hidden: sizes of the encoder's hidden layers, mirrored in the decoder; none makes both linear (the thesis).
        dropout: after each hidden layer.
    """

    def __init__(self, coefficients: int, latent: int, hidden: Sequence[int] = (), dropout: float = 0.0):
        super().__init__()
        self.shape = {"coefficients": coefficients, "latent": latent, "hidden": list(hidden), "dropout": dropout}
        self.encoder = mlp([coefficients, *hidden, latent], dropout)
        self.decoder = mlp([latent, *reversed(hidden), coefficients], dropout)
        self.normalised = Standardiser(coefficients)

    def encode(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Return z_W (n, latent) of C (n, coefficients)."""
        return self.encoder(self.normalised(coefficients))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return C (n, coefficients) of z_W (n, latent)."""
        return self.normalised.inverse(self.decoder(latents))

    def loss(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Return eq. 3.1 over normalised coefficients: squared norm of the error, averaged over models."""
        normalised = self.normalised(coefficients)
        return (self.decoder(self.encoder(normalised)) - normalised).pow(2).sum(1).mean()


def checkpoint_epochs(epochs: int, count: int) -> list[int]:
    """Return about ``count`` epochs from 0 to ``epochs``, spread geometrically: most changes early."""
    spread = np.geomspace(epochs, 1, max(count - 1, 1)).round().astype(int)  # of two, the other is the last
    return sorted({0, *spread.tolist()})


def train_autoencoder(
    train: str | Path,
    validation: str | Path,
    out: str | Path,
    history: str | Path,
    checkpoints: str | Path,
    latent: int,
    hidden: Sequence[int],
    dropout: float,
    normalise: str,
    checkpoint_count: int,
    recipe: dict[str, Any],
    seed: int,
    device: str = "cpu",
) -> None:
    """Train the autoencoder on training coefficients and write it, its history and its states over the training.

    Args:
        train, validation: coefficient files.
        out: safetensors file of the best state by validation loss.
        history: CSV, a row an epoch.
        checkpoints: safetensors file of the states at ``checkpoint_epochs`` and of the one in ``out``.
        latent, hidden, dropout: see ``WeightAutoencoder``.
        normalise: see ``wsl.fitting.Standardiser.fit``.
        checkpoint_count: states kept.
        recipe: see ``wsl.recipe.Recipe``.
        seed: of initial weights, batches and dropout.
        device: ``cpu`` or ``cuda``.
    """
    data = {
        part: torch.from_numpy(read_coefficients(path)[0]).to(device)
        for part, path in (("train", train), ("validation", validation))
    }
    torch.manual_seed(seed)
    module = WeightAutoencoder(data["train"].shape[1], latent, hidden, dropout).to(device)
    module.normalised.fit(data["train"], normalise, owners(train, normalise))
    wanted = checkpoint_epochs(recipe["epochs"], checkpoint_count)
    states: dict[str, torch.Tensor] = {}

    def keep(epoch: int) -> None:
        states.update({f"{epoch}/{name}": value.cpu().clone() for name, value in module.state_dict().items()})

    losses = fit(
        module,
        lambda part, indices: module.loss(data[part][indices.to(device)]),
        {part: len(rows) for part, rows in data.items()},
        Recipe(**recipe),
        seed,
        lambda epoch: keep(epoch) if epoch in wanted else None,
    )
    keep(int(losses.loc[losses["kept"], "epoch"].iloc[0]))
    write_csv(history, losses)
    write_tensors(checkpoints, states, module.shape)
    write_tensors(out, module.state_dict(), module.shape)


def load_autoencoder(path: str | Path) -> WeightAutoencoder:
    """Load a trained autoencoder, in evaluation mode, on the CPU."""
    state, shape = read_tensors(path)
    return _restored(state, shape)


def load_checkpoints(path: str | Path) -> dict[int, WeightAutoencoder]:
    """Load the states kept over the training, by epoch."""
    tensors, shape = read_tensors(path)
    states: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        epoch, name = key.split("/", 1)
        states.setdefault(int(epoch), {})[name] = value
    return {epoch: _restored(states[epoch], shape) for epoch in sorted(states)}


def _restored(state: dict[str, torch.Tensor], shape: dict[str, Any]) -> WeightAutoencoder:
    module = WeightAutoencoder(**shape)
    module.load_state_dict(state)
    return module.eval()
