"""Originals compared with their reconstructions (section 4.1, figure 4.1b, Table 4.1)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wsl.evaluation.outputs import Runner, accuracy, compare, synthetic_inputs
from wsl.files.plain import Files, write_csv
from wsl.images.inputs import load_task, normalised
from wsl.images.reading import packed_by_class, task_classes
from wsl.jobs.job import Job
from wsl.weights.codec import load_codec
from wsl.weights.coefficients import load_linear, read_coefficients
from wsl.weights.fitted import load_states
from wsl.zoo.index import Zoo, open_zoo, read_snapshot

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
    inputs = synthetic_inputs(images, size, job.seed)
    rows = []
    with open_zoo(index) as zoo:
        states, runner = load_states(checkpoints, load_linear(fitted, zoo.layout)), Runner(zoo.layout, job.device)
        trained = np.flatnonzero(zoo.snapshots["epoch"] > 0)
        originals = [runner.logits(read_snapshot(zoo, row), inputs) for row in trained]
        for epoch, encoder in states.items():
            for row, original in zip(trained, originals, strict=True):
                weights = read_snapshot(zoo, row)
                with torch.no_grad():
                    decoded = encoder.decode(encoder.encode(torch.from_numpy(weights)[None]))[0].numpy()
                metrics = compare(original, runner.logits(decoded, inputs))
                rows.append({"epoch": epoch, **_identity(zoo, row), **metrics})
            log.info("compared the reconstructions of epoch %d", epoch)
    write_csv(out, pd.DataFrame(rows))


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
    files = packed_by_class(inputs.packed)
    rows = []
    with open_zoo(inputs.index) as zoo:
        runner = Runner(zoo.layout, job.device)
        for row in range(len(zoo.snapshots)):
            weights = read_snapshot(zoo, row)
            task = task_classes(zoo.snapshots["task"][row])
            images, labels = load_task([files[name] for name in task], "train", most)
            images = normalised(images, zoo.layout.normalisation)
            original = runner.logits(weights, images)
            decoded = {
                "pca": codec.linear.decode(values[row : row + 1])[0],
                "latent": codec.decode(codec.encode(weights[None]))[0],
            }
            for stage, vector in decoded.items():
                outputs = runner.logits(vector, images)
                accuracies = {"accuracy": accuracy(outputs, labels), "original_accuracy": accuracy(original, labels)}
                rows.append({"stage": stage, **_identity(zoo, row), **compare(original, outputs), **accuracies})
    write_csv(out, pd.DataFrame(rows))


def _identity(zoo: Zoo, row: int) -> dict[str, int | str]:
    about = zoo.snapshots.iloc[row]
    return {"member": int(about["member"]), "task": about["task"], "snapshot": about["snapshot"]}
