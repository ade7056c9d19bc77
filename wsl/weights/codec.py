"""Both stages of compression as one: flat weights <-> z_W."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch

from wsl.files import get_table, new_hdf5, put_table
from wsl.weights.autoencoder import WeightAutoencoder, load_autoencoder
from wsl.weights.coefficients import LinearCodec, load_linear, read_coefficients
from wsl.zoo.index import open_zoo


class WeightCodec:
    """The weight encoder W -> C_m -> z_W and its decoder (section 3.2.1).

    Attributes:
        linear: per-parameter PCA.
        autoencoder: of coefficients.
        counters: integer buffers that a decoded model gets (n_counters,); they do not change its outputs.
    """

    def __init__(self, linear: LinearCodec, autoencoder: WeightAutoencoder, counters: np.ndarray):
        self.linear, self.autoencoder, self.counters = linear, autoencoder, counters

    @torch.no_grad()
    def coefficients(self, latents: np.ndarray) -> np.ndarray:
        """Return C (n, n_coefficients) of z_W (n, latent)."""
        return self.autoencoder.decode(torch.from_numpy(np.float32(latents))).numpy()

    @torch.no_grad()
    def latents(self, coefficients: np.ndarray) -> np.ndarray:
        """Return z_W (n, latent) of C (n, n_coefficients)."""
        return self.autoencoder.encode(torch.from_numpy(np.float32(coefficients))).numpy()

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Return flat weights (n, n_weights) of z_W (n, latent)."""
        return self.linear.decode(self.coefficients(latents))


def load_codec(index: str | Path, fitted: Sequence[str | Path], autoencoder: str | Path) -> WeightCodec:
    """Load the codec; ``index`` is that of the training members, ``fitted`` the parameters' PCA files in order."""
    with open_zoo(index) as zoo:
        counters = np.rint(zoo.counters.mean(axis=0)).astype(np.int64)
        return WeightCodec(load_linear(fitted, zoo.layout), load_autoencoder(autoencoder), counters)


def embed_part(coefficients: str | Path, autoencoder: str | Path, out: str | Path) -> None:
    """Write z_W of every snapshot of a part."""
    values, snapshots = read_coefficients(coefficients)
    with torch.no_grad():
        latents = load_autoencoder(autoencoder).encode(torch.from_numpy(values)).numpy()
    with new_hdf5(out) as file:
        file.create_dataset("latents", data=latents)
        put_table(file, "snapshots", snapshots)


def read_latents(path: str | Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Read z_W (snapshots, latent) and the table of their snapshots."""
    with h5py.File(path) as file:
        return file["latents"][...], get_table(file, "snapshots")
