"""Every weight encoder by its name in the config."""

from pathlib import Path
from typing import Any

import torch

from wsl.tensors import read_tensors
from wsl.weights.coefficients import LinearCodec
from wsl.weights.encoders.ae_pca import ChannelEncoder
from wsl.weights.encoders.base import WeightEncoder, read_states
from wsl.weights.encoders.pca import PcaEncoder
from wsl.weights.encoders.token_encoder import TokenEncoder


def load_encoder(path: str | Path, linear: LinearCodec) -> WeightEncoder:
    """Load an encoder, in evaluation mode, on the CPU; ``linear`` is the run's PCA."""
    return _built(*read_tensors(path), linear)


def load_states(path: str | Path, linear: LinearCodec) -> dict[int, WeightEncoder]:
    """Load an encoder in each of the states kept over its training, by epoch."""
    states, about = read_states(path)
    return {epoch: _built(state, about, linear) for epoch, state in states.items()}


def _built(state: dict[str, torch.Tensor], about: dict[str, Any], linear: LinearCodec) -> WeightEncoder:
    kind, shape = about["kind"], {key: value for key, value in about.items() if key != "kind"}
    if kind in ("pca", "pca-ae"):
        encoder: WeightEncoder = PcaEncoder(linear, **shape)
    elif kind == "ae-pca":
        encoder = ChannelEncoder(linear.layout, **shape)
    else:
        encoder = TokenEncoder(kind=kind, **shape)
    encoder.load_state_dict(state)
    return encoder.eval()
