"""Fitted weight encoders: W -> z_W -> W as torch modules, and their files."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wsl.errors import ConfigError, DataError
from wsl.files.tensors import read_tensors, write_tensors
from wsl.weights.coefficients import LinearCodec
from wsl.weights.encoders.base import WEIGHT_ENCODERS
from wsl.weights.pca import ParameterPCA
from wsl.zoo.layout import Layout

NUMBERS = 2**28  # maximum number of weights that are encoded or decoded at once
MODELS = 256  # maximum number of models at once
States = dict[int, dict[str, torch.Tensor]]


class FittedEncoder(nn.Module, ABC):
    """A map W -> z_W and one back, both differentiable.

    Attributes:
        latent: size of z_W.
        tokens: number of latents of equal size that z_W is made of, one after the other.
        about: arguments of ``WeightEncoder.load``, as JSON types.
    """

    latent: int
    tokens: int = 1
    about: dict[str, Any]

    @property
    def models_at_once(self) -> int:
        """Number of models to encode or decode together."""
        return 16

    @abstractmethod
    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        """Return z_W (n, latent) of flat weights (n, n_weights)."""

    @abstractmethod
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return flat weights (n, n_weights) of z_W (n, latent)."""

    def facts(self, latents: torch.Tensor) -> dict[str, float]:
        """Return facts by name about z_W (n, latent) of some networks, for the table of the bench."""
        return {}

    def features(self, latents: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what probes read of z_W (n, latent), each (n, k), by name: ``all`` of it, and further summaries.

        Encoders with several tokens have the ``token-mean`` too, which probes of SANE read (Schürholt et al. 2024; in
        its code ``forward_embeddings``).
        """
        if self.tokens == 1:
            return {"all": latents}
        return {"all": latents, "token-mean": latents.unflatten(1, (self.tokens, -1)).mean(1)}

    def of(self, layout: Layout) -> "FittedEncoder":
        """Return the same encoder for networks of one of the layouts of a mixed zoo."""
        raise NotImplementedError

    def embed(self, weights: torch.Tensor, layout: Layout) -> torch.Tensor:
        """Return embeddings (n, k), with k the same for all layouts of a mixed zoo, of flat weights (n, n_weights)."""
        raise NotImplementedError


class LinearStage(nn.Module):
    """``LinearCodec`` as a differentiable module; its arrays are not part of its state."""

    def __init__(self, linear: LinearCodec):
        super().__init__()
        self.codec = linear
        for place, parameter in enumerate(linear.parameters):
            for name in ("mean", "components"):
                self.register_buffer(f"{name}{place}", torch.from_numpy(getattr(parameter, name)), persistent=False)

    def _with(self, blocks: Iterable[torch.Tensor]) -> Iterator[tuple[ParameterPCA, torch.Tensor]]:
        for place, (pca, block) in enumerate(zip(self.codec.parameters, blocks, strict=True)):
            mean, components = getattr(self, f"mean{place}"), getattr(self, f"components{place}")
            yield replace(pca, mean=mean, components=components), block

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        """Return C (n, n_coefficients) of flat weights (n, n_weights)."""
        blocks = (weights[:, entry.columns] for entry in self.codec.layout.entries)
        return torch.cat([pca.encode(block) for pca, block in self._with(blocks)], dim=1)

    def decode(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Return flat weights (n, n_weights) of C (n, n_coefficients)."""
        blocks = coefficients.split([pca.n_coefficients for pca in self.codec.parameters], 1)
        return torch.cat([pca.decode(block) for pca, block in self._with(blocks)], dim=1)


class CoefficientEncoder(FittedEncoder):
    """An encoder of PCA coefficients: W -> C_m -> z_W."""

    def __init__(self, linear: LinearCodec):
        super().__init__()
        self.linear = LinearStage(linear)

    @property
    def models_at_once(self) -> int:
        """As many as memory allows: all components are read for every batch, so large batches cost little more."""
        return min(max(NUMBERS // self.linear.codec.layout.size, 1), MODELS)

    @abstractmethod
    def encode_coefficients(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Return z_W (n, latent) of C (n, n_coefficients)."""

    @abstractmethod
    def decode_coefficients(self, latents: torch.Tensor) -> torch.Tensor:
        """Return C (n, n_coefficients) of z_W (n, latent)."""

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        return self.encode_coefficients(self.linear.encode(weights))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.linear.decode(self.decode_coefficients(latents))


def load_encoder(path: str | Path, linear: LinearCodec) -> FittedEncoder:
    """Load a fitted encoder, in evaluation mode, on the CPU; ``linear``: the PCA of the run.

    Raises:
        DataError: the file does not hold an encoder of this version for this PCA.
    """
    return _built(path, *read_tensors(path), linear)


def load_states(path: str | Path, linear: LinearCodec) -> dict[int, FittedEncoder]:
    """Load the states of an encoder during its training, by epoch; see ``load_encoder``."""
    tensors, about = read_tensors(path)
    states: States = {}
    for key, value in tensors.items():
        epoch, name = key.split("/", 1)
        states.setdefault(int(epoch), {})[name] = value
    return {epoch: _built(path, state, about, linear) for epoch, state in sorted(states.items())}


def write_states(path: str | Path, states: States, about: dict[str, Any]) -> None:
    """Write states of an encoder during its training, by epoch."""
    flat = {f"{epoch}/{name}": value for epoch, state in states.items() for name, value in state.items()}
    write_tensors(path, flat, about)


def _built(
    path: str | Path, state: dict[str, torch.Tensor], about: dict[str, Any], linear: LinearCodec
) -> FittedEncoder:
    shape = {key: value for key, value in about.items() if key != "kind"}
    try:
        encoder = WEIGHT_ENCODERS[about["kind"]].load(shape, linear)
        encoder.load_state_dict(state)
    except (ConfigError, KeyError, RuntimeError, TypeError) as error:
        raise DataError(
            f"{path} is not a weight encoder of this version of wsl for this PCA ({error}); give the files of one run, "
            "or run the workflow with the run's config, which fits the encoder again"
        ) from error
    return encoder.eval()
