"""Evaluation of weight encoders on a mixed zoo: reconstructions of each architecture, and the main numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wsl.evaluation.comparison import Compared, compare_members
from wsl.files.plain import Files, write_csv, write_json
from wsl.jobs.job import Job
from wsl.weights.codec import WeightCodec, load_codec
from wsl.weights.coefficients import LinearCodec
from wsl.weights.fitted import FittedEncoder
from wsl.weights.settings import Search
from wsl.zoo.index import Zoo, open_zoo, read_snapshot, read_weights
from wsl.zoo.layout import Layout

Indices = Sequence[str | Path]


class MeanEncoder(FittedEncoder):
    """The baseline of encoders: every network is decoded to the mean of the trained training members."""

    latent = 0

    def __init__(self, mean: np.ndarray):
        super().__init__()
        self.about, self.mean = {}, torch.from_numpy(mean)

    def encode(self, weights: torch.Tensor) -> torch.Tensor:
        return weights[:, :0]

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.mean.expand(len(latents), -1)


@dataclass(frozen=True)
class MixedInputs:
    """Input files of ``measure_mixed``."""

    train: Indices  # of the training members, one index per architecture
    held_out: Indices  # of the members to measure on
    packed: Files  # packed images, one file per class, or a list of them
    encoder: str | Path | None = None  # the fitted encoder; None: ``MeanEncoder``


def measure_mixed(
    inputs: MixedInputs,
    out: str | Path,
    name: str,
    labels: Sequence[str],
    search: Search = Search(),  # noqa: B008
    job: Job = Job(),  # noqa: B008
) -> None:
    """Compare held-out members of each architecture with their reconstructions.

    Args:
        inputs: files.
        out: CSV, rows of ``wsl.evaluation.encoders.measure_encoder`` with ``encoder``, ``architecture`` and ``error``,
            the mean squared error of weights in deviations of their named parameter over training snapshots.
        name: of the encoder.
        labels: of the architectures, in the order of the training indices.
        search: by outputs, see ``Search``.
        job: device, and seed of the search.
    """
    tables = []
    for label, index in zip(labels, inputs.train, strict=True):
        with open_zoo(index) as zoo:
            layout, counters, scale = zoo.layout, zoo.typical_counters, _deviations(zoo)
            mean = np.mean([read_snapshot(zoo, row) for row in zoo.trained], axis=0)
        baseline = WeightCodec(LinearCodec([], layout), MeanEncoder(mean), counters)
        codec = baseline if inputs.encoder is None else load_codec(index, (), inputs.encoder)
        files = Compared(index, of_layout(inputs.held_out, layout), inputs.packed)
        table = compare_members(codec, files, search, job.seed, job.device, scale)
        tables.append(table.assign(architecture=label, latent_size=codec.encoder.latent, encoder=name))
    write_csv(out, pd.concat(tables, ignore_index=True))


def write_mixed_summary(
    indices: Indices, encoders: str | Path, probes: str | Path, out: str | Path, labels: Sequence[str]
) -> None:
    """Write the main numbers of a mixed zoo as JSON.

    Args:
        indices: of all parts, in folders named by architecture.
        encoders: table of ``wsl.evaluation.encoder_tables.mixed_tables``.
        probes: table of the same function.
        out: JSON: by architecture the numbers of members and of diverged ones, their size and mean validation accuracy;
            by encoder and architecture ``agreement`` of recalibrated test members and ``error``; by encoder ``probes``,
            R² of test accuracy over all architectures.
        labels: of the architectures.
    """
    zoos: dict[str, dict[str, float]] = {}
    for label in labels:
        tables, trained = [], []
        for path in (path for path in indices if Path(path).parent.name == label):
            with open_zoo(path) as zoo:
                tables.append(zoo.members)
                trained.append(zoo.snapshots["validation_accuracy"][zoo.trained])
                size = zoo.layout.size
        members = pd.concat(tables)
        about = {"members": len(members), "diverged": int(members["diverged"].sum()), "numbers_per_snapshot": size}
        zoos[label] = {**about, "validation_accuracy": float(pd.concat(trained).mean())}
    table = pd.read_csv(encoders).query("part == 'test'")
    scores = pd.read_csv(probes).query("architecture == 'all' and target == 'test_accuracy'")
    content = {
        "architectures": zoos,
        "agreement": _nested(table, "agreement_bn"),
        "error": _nested(table, "error"),
        "probes": dict(zip(scores["encoder"], scores["score"], strict=True)),
    }
    write_json(out, content)


def _nested(table: pd.DataFrame, column: str) -> dict[str, dict[str, float]]:
    groups = table.groupby("encoder", sort=False)
    return {name: dict(zip(group["architecture"], group[column], strict=True)) for name, group in groups}


def of_layout(indices: Indices, layout: Layout) -> list[str | Path]:
    """Return the indices of one architecture."""

    def same(path: str | Path) -> bool:
        with open_zoo(path) as zoo:
            return zoo.layout == layout

    return list(filter(same, indices))


def _deviations(zoo: Zoo) -> np.ndarray:
    """Return the deviation of each number (n_weights,): that of its named parameter, over all snapshots."""
    scale = np.empty(zoo.layout.size, dtype=np.float32)
    for entry in zoo.layout.entries:
        values = read_weights(zoo, columns=entry.columns)
        scale[entry.columns] = np.sqrt(np.square(values - values.mean(axis=0)).mean()) or 1.0
    return scale
