"""The weight encoder of a run with all its files: flat weights <-> z_W."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wsl.files.hdf5 import get_table, new_hdf5, open_hdf5, part_of, put_table
from wsl.weights.coefficients import LinearCodec, load_linear, read_coefficients
from wsl.weights.fitted import CoefficientEncoder, FittedEncoder, load_encoder
from wsl.weights.snapshots import Snapshots
from wsl.zoo.index import open_zoo, read_snapshot


class WeightCodec:
    """The weight encoder W -> z_W and its decoder (section 3.2.1).

    Attributes:
        linear: PCA of all parameters, W <-> C_m.
        encoder: W <-> z_W.
        counters: integer buffers that a decoded model gets (n_counters,); they do not change its outputs.
    """

    def __init__(self, linear: LinearCodec, encoder: FittedEncoder, counters: np.ndarray):
        self.linear, self.encoder, self.counters = linear, encoder, counters

    def encode(self, weights: np.ndarray) -> np.ndarray:
        """Return z_W (n, latent) of flat weights (n, n_weights)."""
        return self._in_batches(self.encoder.encode, weights)

    @torch.no_grad()
    def features(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Return what probes read of flat weights (n, n_weights) by name, see ``FittedEncoder.features``."""
        summaries = self.encoder.features(torch.from_numpy(self.encode(weights)))
        return {name: values.numpy() for name, values in summaries.items()}

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Return flat weights (n, n_weights) of z_W (n, latent)."""
        return self._in_batches(self.encoder.decode, latents)

    @torch.no_grad()
    def facts(self, latents: np.ndarray) -> dict[str, float]:
        """Return facts of the encoder by name about z_W (n, latent)."""
        return self.encoder.facts(torch.from_numpy(latents))

    @torch.no_grad()
    def _in_batches(self, function: Callable[[torch.Tensor], torch.Tensor], rows: np.ndarray) -> np.ndarray:
        batches = torch.from_numpy(np.float32(rows)).split(self.encoder.models_at_once)
        return torch.cat([function(batch) for batch in batches]).numpy()


def load_codec(index: str | Path, fitted: Sequence[str | Path], encoder: str | Path) -> WeightCodec:
    """Load the codec of a run: the index of training members, PCA files, and the fitted weight encoder.

    Without PCA files: that of the index's architecture in a mixed zoo.
    """
    with open_zoo(index) as zoo:
        if not fitted:
            linear = LinearCodec([], zoo.layout)
            return WeightCodec(linear, load_encoder(encoder, linear).of(zoo.layout), zoo.typical_counters)
        linear = load_linear(fitted, zoo.layout)
        return WeightCodec(linear, load_encoder(encoder, linear), zoo.typical_counters)


def embed_part(
    index: str | Path,
    coefficients: str | Path,
    fitted: Sequence[str | Path],
    encoder: str | Path,
    out: str | Path,
    orders: int,
    seed: int,
) -> None:
    """Write z_W of every snapshot of a part as HDF5, with the rows of its coefficients.

    ``fitted``, ``orders`` and ``seed`` are those of the coefficients, see ``wsl.weights.coefficients.encode_part``.
    """
    values, snapshots = read_coefficients(coefficients)
    with Snapshots(index, orders, seed) as rows, torch.no_grad():
        module = load_encoder(encoder, load_linear(fitted, rows.layout))
        if isinstance(module, CoefficientEncoder):
            latents = module.encode_coefficients(torch.from_numpy(values))
        else:
            places = torch.arange(len(rows)).split(module.models_at_once)
            latents = torch.cat([module.encode(rows.weights(batch.tolist())) for batch in places])
    with new_hdf5(out) as file:
        file.attrs["part"] = part_of(coefficients)
        file.create_dataset("latents", data=latents.numpy())
        put_table(file, "snapshots", snapshots)


def embed_mixed(index: str | Path, encoder: str | Path, out: str | Path) -> None:
    """Write z_W of every snapshot of an index of a mixed zoo as HDF5.

    ``latents`` (snapshots, latent) depend on the architecture in size, ``embeddings`` (snapshots, k) do not.
    """
    module, latents, embeddings = load_codec(index, (), encoder).encoder, [], []
    with open_zoo(index) as zoo, torch.no_grad():
        for row in range(len(zoo.snapshots)):
            weights = torch.from_numpy(read_snapshot(zoo, row)[None])
            latents.append(module.encode(weights))
            embeddings.append(module.embed(weights, zoo.layout))
        with new_hdf5(out) as file:
            file.attrs["part"] = part_of(index)
            file.create_dataset("latents", data=torch.cat(latents).numpy())
            file.create_dataset("embeddings", data=torch.cat(embeddings).numpy())
            put_table(file, "snapshots", zoo.snapshots)


def read_latents(path: str | Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Read z_W (snapshots, latent) and the table of their snapshots."""
    with open_hdf5(path) as file:
        return file["latents"][...], get_table(file, "snapshots")


def neighbours(codec: WeightCodec, latents: str | Path, weights: np.ndarray, count: int) -> pd.DataFrame:
    """Return the ``count`` members of a part that are nearest to flat weights (n_weights,), the nearest first.

    Args:
        codec: of the run.
        latents: of the part, see ``embed_part``.
        weights: of one model.
        count: number of members.

    Returns:
        See ``nearest_members``; cosines are of latents standardised by the snapshots of the part.
    """
    values, snapshots = read_latents(latents)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1)
    known, query = ((rows - mean) / scale for rows in (values, codec.encode(weights[None])))
    return nearest_members(known, query[0], snapshots, count)


def nearest_members(codes: np.ndarray, query: np.ndarray, snapshots: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the ``count`` members whose codes have the highest cosines with a query, the nearest first.

    Args:
        codes: of snapshots, in any class orders (n, code).
        query: (code,).
        snapshots: table, n rows.
        count: number of members.

    Returns:
        One row per member, of its nearest snapshot and class order: ``member``, ``snapshot``, ``task``,
        ``validation_loss``, ``validation_accuracy``, ``cosine``.
    """
    lengths = np.linalg.norm(codes, axis=1) * np.linalg.norm(query)
    cosines = codes @ query / np.maximum(lengths, 1e-12)
    columns = ["member", "snapshot", "task", "validation_loss", "validation_accuracy"]
    table = snapshots[columns].assign(cosine=cosines).sort_values("cosine", ascending=False)
    return table.drop_duplicates("member").head(count).reset_index(drop=True)
