"""Originals compared with their reconstructions (section 4.1, figure 4.1b, Table 4.1)."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wsl.evaluation.outputs import Runner, accuracy, compare, synthetic_inputs
from wsl.files.plain import Files, write_csv
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.jobs.job import Job
from wsl.weights.codec import WeightCodec, load_codec
from wsl.weights.coefficients import load_linear, read_coefficients
from wsl.weights.fitted import load_states
from wsl.weights.snapshots import read_snapshots
from wsl.zoo.index import Zoo, open_zoo

log = logging.getLogger(__name__)


def over_training(
    index: str | Path,
    fitted: Sequence[str | Path],
    checkpoints: str | Path,
    out: str | Path,
    images: int,
    size: int,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Compare outputs on synthetic images for each kept state of the encoder's training (figure 4.1b).

    Untrained snapshots are left out, since nearly all outputs of an untrained model are equal.

    Args:
        index: of the members to reconstruct, which were not used in any fit.
        fitted: PCA files.
        checkpoints: states of the encoder.
        out: CSV, one row per state and trained snapshot: ``epoch`` (of the encoder), ``member``, ``task``,
            ``snapshot`` and the metrics of ``compare``.
        images: number of Gaussian noise images.
        size: their side, pixels.
        job: seed of the noise.
    """
    inputs, rows = synthetic_inputs(images, size, job.seed), []
    with open_zoo(index) as zoo:
        linear, runner = load_linear(fitted, zoo.layout), Runner(zoo.layout, job.device)
        codecs = {
            epoch: WeightCodec(linear, encoder, zoo.typical_counters)
            for epoch, encoder in load_states(checkpoints, linear).items()
        }
        for group in runner.groups(np.flatnonzero(zoo.snapshots["epoch"] > 0)):
            weights = read_snapshots(zoo, group)
            originals = runner.logits_of(weights, inputs)
            for epoch, codec in codecs.items():
                outputs = runner.logits_of(codec.decode(codec.encode(weights)), inputs)
                rows += [{"epoch": epoch, **row} for row in _compared(zoo, group, originals, outputs)]
            log.info("compared %d models and their reconstructions by %d encoders", len(group), len(codecs))
    write_csv(out, pd.DataFrame(sorted(rows, key=itemgetter("epoch"))))


@dataclass(frozen=True)
class ReconstructionInputs:
    """Input files of ``on_training_data``."""

    index: str | Path  # of the members
    coefficients: str | Path  # of the members
    train_index: str | Path  # of the training members
    fitted: Sequence[str | Path]  # PCA files
    encoder: str | Path  # the fitted weight encoder
    packed: Files  # packed images, one file per class, or a list of them


def on_training_data(
    inputs: ReconstructionInputs,
    out: str | Path,
    most: int,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Compare each snapshot with its reconstructions on the original's training images (Table 4.1).

    Args:
        inputs: files.
        out: CSV, one row per snapshot and ``stage`` (``pca``: coefficients, ``latent``: z_W): ``member``, ``task``,
            ``snapshot``, the metrics of ``compare``, and ``accuracy`` of the reconstruction and ``original_accuracy``
            on the same images. Untrained snapshots are included.
        most: maximum number of images per class.
        job: its device.
    """
    codec = load_codec(inputs.train_index, inputs.fitted, inputs.encoder)
    values, _ = read_coefficients(inputs.coefficients)
    task_images, rows, order = TaskImages(inputs.packed), [], []
    with open_zoo(inputs.index) as zoo:
        runner = Runner(zoo.layout, job.device)
        for task, places in zoo.snapshots.groupby("task", sort=False).indices.items():
            images, labels = task_images.of_task(task, most)
            images = normalised(images, zoo.layout.normalisation)
            for group in runner.groups(places):
                weights = read_snapshots(zoo, group)
                originals = runner.logits_of(weights, images)
                original_accuracy = [accuracy(logits, labels) for logits in originals]
                decoded = {"pca": codec.linear.decode(values[group]), "latent": codec.decode(codec.encode(weights))}
                for stage, vectors in decoded.items():
                    outputs = runner.logits_of(vectors, images)
                    order += [*group]
                    rows += [
                        {"stage": stage, **row, "accuracy": accuracy(logits, labels), "original_accuracy": theirs}
                        for row, logits, theirs in zip(
                            _compared(zoo, group, originals, outputs), outputs, original_accuracy, strict=True
                        )
                    ]
    write_csv(out, pd.DataFrame(rows, index=order).sort_index(kind="stable"))


def _compared(
    zoo: Zoo, places: np.ndarray, originals: torch.Tensor, outputs: torch.Tensor
) -> Iterator[dict[str, int | str | float]]:
    """Yield whose each snapshot is, and the metrics of ``compare``."""
    snapshots = zoo.snapshots.loc[places, ["member", "task", "snapshot"]].to_dict("records")
    for snapshot, original, output in zip(snapshots, originals, outputs, strict=True):
        yield {**snapshot, **compare(original, output)}
