"""Probes of weights without an encoder: rows of every table of probes, as the strongest baselines."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import pandas as pd

from wsl.errors import DataError
from wsl.evaluation.probes import COLUMNS, Index, probe, probe_hyperparameters, probe_statistics, probe_weights
from wsl.files.plain import write_csv
from wsl.weights.codec import WeightCodec, load_codec

STATISTICS, FLAT = "statistics", "flat"  # the weight encoders of these names


def measure_baselines(
    train_index: Index,
    held_out: Sequence[Index],
    accuracies: Index | None,
    out: Index,
) -> None:
    """Write scores of probes of s(W) and of W.

    Args:
        train_index: see ``probe``.
        held_out: see ``probe``.
        accuracies: see ``probe``.
        out: CSV, rows of ``probe`` with ``encoder``: ``statistics`` or ``flat``.
    """
    tables = _baselines(train_index, held_out, accuracies)
    write_csv(out, pd.concat(tables, ignore_index=True)[COLUMNS])


def _baselines(train_index: Index, held_out: Sequence[Index], accuracies: Index | None = None) -> list[pd.DataFrame]:
    kinds = {STATISTICS: probe_statistics, FLAT: probe_weights}
    return [of(train_index, held_out, accuracies).assign(encoder=name) for name, of in kinds.items()]


def with_baselines(encoders: pd.DataFrame, baselines: pd.DataFrame) -> pd.DataFrame:
    """Return rows of ``probe`` by ``encoder``, then those of baselines that are not among them."""
    further = baselines[~baselines["encoder"].isin(encoders["encoder"])]
    return pd.concat([encoders, further], ignore_index=True)[COLUMNS]


def probe_encoder(
    train_index: Index,
    held_out: Sequence[Index],
    fitted: Sequence[Index],
    encoder: Index,
    out: Index,
    name: str,
) -> None:
    """Write scores of probes of a run's latents, and of probes without an encoder, from weights and results alone.

    Args:
        train_index: see ``probe``.
        held_out: see ``probe``.
        fitted: PCA files.
        encoder: the fitted weight encoder.
        out: CSV, rows of ``probe`` with ``encoder``: ``name``, ``statistics`` or ``flat``.
        name: of the encoder.
    """
    codec = load_codec(train_index, fitted, encoder)
    own = probe(codec.features, train_index, held_out).assign(encoder=name)
    baselines = pd.concat(_baselines(train_index, held_out))
    write_csv(out, with_baselines(own, baselines).round(4))


def probes_of(train_index: Index, held_out: Sequence[Index], codecs: Mapping[str, WeightCodec]) -> pd.DataFrame:
    """Return scores of probes of a zoo that need no run: of weights, of hyper-parameters, and of given encoders.

    Args:
        train_index: see ``probe``.
        held_out: see ``probe``.
        codecs: further encoders by name.

    Returns:
        Rows of ``probe`` with ``predicted from``: ``hyper-parameters``, ``statistics``, ``flat`` or a name.
    """
    tables = [probe(codec.features, train_index, held_out).assign(encoder=name) for name, codec in codecs.items()]
    tables += _baselines(train_index, held_out)
    with suppress(DataError):  # all are equal
        tables.append(probe_hyperparameters(train_index, held_out).assign(encoder="hyper-parameters"))
    return pd.concat(tables, ignore_index=True)[COLUMNS].rename(columns={"encoder": "predicted from"})
