"""What every weight encoder is, and how one and its training are kept in files."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wsl.tensors import read_tensors, write_tensors

States = dict[int, dict[str, torch.Tensor]]


class WeightEncoder(nn.Module, ABC):
    """A map W -> z_W and one back, both differentiable.

    Attributes:
        latent: numbers in z_W.
        about: all that is needed to build the module again, beside its tensors and the run's PCA: plain JSON, with
            ``kind``, its name in the config.
    """

    latent: int
    about: dict[str, Any]

    @property
    def models_at_once(self) -> int:
        """How many models to encode or decode together."""
        return 16

    @abstractmethod
    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        """Return z_W (n, latent) of flat weights (n, n_weights)."""

    @abstractmethod
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return flat weights (n, n_weights) of z_W (n, latent)."""


def write_states(path: str | Path, states: States, about: dict[str, Any]) -> None:
    """Write the states that an encoder had after some epochs of its training."""
    flat = {f"{epoch}/{name}": value for epoch, state in states.items() for name, value in state.items()}
    write_tensors(path, flat, about)


def read_states(path: str | Path) -> tuple[States, dict[str, Any]]:
    """Read back what ``write_states`` wrote."""
    tensors, about = read_tensors(path)
    states: States = {}
    for key, value in tensors.items():
        epoch, name = key.split("/", 1)
        states.setdefault(int(epoch), {})[name] = value
    return dict(sorted(states.items())), about
