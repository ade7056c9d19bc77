"""Linear probes over a mixed zoo: of embeddings, which have one size for all architectures, and baselines."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wsl.errors import DataError
from wsl.evaluation.mixed import Indices, of_layout
from wsl.evaluation.probe_baselines import STATISTICS
from wsl.evaluation.probes import Features, probe
from wsl.files.plain import write_csv
from wsl.weights.codec import WeightCodec, load_codec
from wsl.weights.encoders._features import layer_statistics
from wsl.zoo.index import open_zoo, read_snapshot
from wsl.zoo.layout import Layout


def probe_mixed(
    train: Indices,
    held_out: Indices,
    accuracies: str | Path,
    encoder: str | Path,
    out: str | Path,
    name: str,
    labels: Sequence[str],
) -> None:
    """Write scores of probes of an encoder's embeddings; see ``measure_mixed`` and ``wsl.evaluation.probes.probe``."""
    features = {}
    for index in train:
        codec = load_codec(index, (), encoder)
        features[codec.linear.layout] = _embedding(codec)
    _write_probes({name: features}, train, held_out, accuracies, labels, out)


def probe_baselines(
    train: Indices, held_out: Indices, accuracies: str | Path, out: str | Path, labels: Sequence[str]
) -> None:
    """Write scores of probes without an encoder.

    They read the ``architecture`` alone, or also ``statistics``: those of each architecture, standardised over
    its training snapshots, are features of their own, which are 0 for the others. So a probe has its own slopes for
    each architecture, and one penalty.
    """
    which: dict[Layout, Features] = {}
    statistics: dict[Layout, Features] = {}
    units = {}
    for index in train:
        with open_zoo(index) as zoo:
            rows = range(len(zoo.snapshots))
            values = np.concatenate([layer_statistics(read_snapshot(zoo, row)[None], zoo.layout) for row in rows])
            units[zoo.layout] = values.mean(axis=0), np.where(values.std(axis=0) > 0, values.std(axis=0), 1)
    for place, layout in enumerate(units):
        one = np.eye(len(units))[place]
        which[layout] = lambda weights, one=one: np.repeat(one[None], len(weights), axis=0)
        statistics[layout] = _in_own_columns(layout, units, which[layout])
    kinds = {"architecture": which, STATISTICS: statistics}
    _write_probes(kinds, train, held_out, accuracies, labels, out)


def _embedding(codec: WeightCodec) -> Features:
    @torch.no_grad()
    def features(weights: np.ndarray) -> np.ndarray:
        return codec.encoder.embed(torch.from_numpy(weights), codec.linear.layout).numpy()

    return features


def _in_own_columns(layout: Layout, units: Mapping[Layout, tuple[np.ndarray, np.ndarray]], which: Features) -> Features:
    def features(weights: np.ndarray) -> np.ndarray:
        mean, deviation = units[layout]
        own = (layer_statistics(weights, layout) - mean) / deviation
        blocks = [own if other == layout else np.zeros((len(weights), len(units[other][0]))) for other in units]
        return np.concatenate([which(weights), *blocks], axis=1)

    return features


def _write_probes(
    kinds: Mapping[str, Mapping[Layout, Features]],
    train: Indices,
    held_out: Indices,
    accuracies: str | Path,
    labels: Sequence[str],
    out: str | Path,
) -> None:
    """Write scores over all held-out members, then over those of each architecture that has enough of them."""
    tables = []
    for name, features in kinds.items():
        tables.append(probe(features, train, held_out, accuracies).assign(encoder=name, architecture="all"))
        for label, layout in zip(labels, features, strict=True):
            with suppress(DataError):  # no target with two values
                own = probe(features, train, of_layout(held_out, layout), accuracies)
                tables.append(own.assign(encoder=name, architecture=label))
    write_csv(out, pd.concat(tables, ignore_index=True))
