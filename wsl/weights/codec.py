"""The weight encoder of a run over its files: flat weights <-> z_W, and coefficients beside them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wsl.files import get_table, new_hdf5, open_hdf5, part_of, put_table
from wsl.weights.coefficients import LinearCodec, load_linear, read_coefficients
from wsl.weights.encoders.base import WeightEncoder
from wsl.weights.encoders.pca import PcaEncoder
from wsl.weights.encoders.registry import load_encoder
from wsl.weights.snapshots import Snapshots
from wsl.zoo.index import open_zoo


class WeightCodec:
    """The weight encoder W -> z_W and its decoder (section 3.2.1).

    Attributes:
        linear: per-parameter PCA, W <-> C_m.
        encoder: W <-> z_W.
        counters: integer buffers that a decoded model gets (n_counters,); they do not change its outputs.
    """

    def __init__(self, linear: LinearCodec, encoder: WeightEncoder, counters: np.ndarray):
        self.linear, self.encoder, self.counters = linear, encoder, counters

    @torch.no_grad()
    def encode(self, weights: np.ndarray) -> np.ndarray:
        """Return z_W (n, latent) of flat weights (n, n_weights)."""
        rows = torch.from_numpy(np.float32(weights)).split(self.encoder.models_at_once)
        return torch.cat([self.encoder.encode(some) for some in rows]).numpy()

    @torch.no_grad()
    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Return flat weights (n, n_weights) of z_W (n, latent)."""
        rows = torch.from_numpy(np.float32(latents)).split(self.encoder.models_at_once)
        return torch.cat([self.encoder.decode(some) for some in rows]).numpy()


def load_codec(index: str | Path, fitted: Sequence[str | Path], autoencoder: str | Path) -> WeightCodec:
    """Load the codec; ``index`` is that of the training members, ``fitted`` the parameters' PCA files in order."""
    with open_zoo(index) as zoo:
        counters = np.rint(zoo.counters.mean(axis=0)).astype(np.int64)
        linear = load_linear(fitted, zoo.layout)
        return WeightCodec(linear, load_encoder(autoencoder, linear), counters)


def embed_part(
    index: str | Path,
    coefficients: str | Path,
    fitted: Sequence[str | Path],
    autoencoder: str | Path,
    out: str | Path,
    orders: int,
    seed: int,
) -> None:
    """Write z_W of every snapshot of a part, in as many class orders as its coefficients have.

    Args:
        index, coefficients: of the part.
        fitted, autoencoder: the encoder's files.
        out: HDF5, rows as those of ``coefficients``.
        orders, seed: see ``wsl.weights.coefficients.encode_part``.
    """
    values, snapshots = read_coefficients(coefficients)
    with Snapshots(index, orders, seed) as rows, torch.no_grad():
        encoder = load_encoder(autoencoder, load_linear(fitted, rows.layout))
        if isinstance(encoder, PcaEncoder):
            latents = encoder.autoencoder.encode(torch.from_numpy(values))
        else:
            places = torch.arange(len(rows)).split(encoder.models_at_once)
            latents = torch.cat([encoder.encode(rows.weights(some.tolist())) for some in places])
    with new_hdf5(out) as file:
        file.attrs["part"] = part_of(coefficients)
        file.create_dataset("latents", data=latents.numpy())
        put_table(file, "snapshots", snapshots)


def read_latents(path: str | Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Read z_W (snapshots, latent) and the table of their snapshots."""
    with open_hdf5(path) as file:
        return file["latents"][...], get_table(file, "snapshots")
