"""Originals against reconstructions (section 4.1, figure 4.1b, Table 4.1)."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wsl.evaluation.outputs import Runner, accuracy, compare, synthetic_inputs
from wsl.files import Files, write_csv
from wsl.images.inputs import load_task, normalised
from wsl.images.reading import packed_by_class, task_classes
from wsl.weights.codec import load_codec
from wsl.weights.coefficients import load_linear, read_coefficients
from wsl.weights.encoders.registry import load_states
from wsl.zoo.index import Zoo, open_zoo, read_snapshot

log = logging.getLogger(__name__)


def over_training(
    index: str | Path,
    fitted: Sequence[str | Path],
    checkpoints: str | Path,
    out: str | Path,
    images: int,
    size: int,
    seed: int,
    device: str = "cpu",
) -> None:
    """Compare outputs on synthetic images at each kept state of the encoder's training (figure 4.1b).

    Trained snapshots alone: nearly all outputs of an untrained model are equal, whatever its weights are.

    Args:
        index: of the members to reconstruct; those that steered no fit.
        fitted: PCA files; checkpoints: the encoder's states.
        out: CSV, one row per state and trained snapshot: ``epoch`` (of the encoder), ``member``, ``task``,
            ``snapshot`` and the metrics of ``compare``.
        images: Gaussian noise images; size: their side, pixels.
        seed: of the noise.
    """
    inputs = synthetic_inputs(images, size, seed)
    rows = []
    with open_zoo(index) as zoo:
        states, runner = load_states(checkpoints, load_linear(fitted, zoo.layout)), Runner(zoo.layout, device)
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


def on_training_data(
    index: str | Path,
    coefficients: str | Path,
    train_index: str | Path,
    fitted: Sequence[str | Path],
    autoencoder: str | Path,
    packed: Files,
    out: str | Path,
    most: int,
    device: str = "cpu",
) -> None:
    """Compare each snapshot with its reconstruction on the original's own training images (Table 4.1).

    Both after each parameter's PCA alone and through z_W, so that a loss shows where it happens.

    Args:
        index, coefficients: of the held-out members.
        train_index, fitted, autoencoder: the weight codec's files.
        packed: packed images, a file a class, or a list of them.
        out: CSV, one row per snapshot and stage: ``stage`` (``pca``, ``latent``), ``member``, ``task``, ``snapshot``,
            the metrics of ``compare``, and ``accuracy`` of the reconstruction and ``original_accuracy`` on the same
            images. All snapshots are there, untrained ones too: tables tell them apart.
        most: images a class.
    """
    codec = load_codec(train_index, fitted, autoencoder)
    values, _ = read_coefficients(coefficients)
    files = packed_by_class(packed)
    rows = []
    with open_zoo(index) as zoo:
        runner = Runner(zoo.layout, device)
        for i in range(len(zoo.snapshots)):
            weights = read_snapshot(zoo, i)
            task = task_classes(zoo.snapshots["task"][i])
            images, labels = load_task([files[name] for name in task], "train", most)
            inputs = normalised(images)
            original = runner.logits(weights, inputs)
            decoded = {
                "pca": codec.linear.decode(values[i : i + 1])[0],
                "latent": codec.decode(codec.encode(weights[None]))[0],
            }
            for stage, vector in decoded.items():
                outputs = runner.logits(vector, inputs)
                rows.append(
                    {
                        "stage": stage,
                        **_identity(zoo, i),
                        **compare(original, outputs),
                        "accuracy": accuracy(outputs, labels),
                        "original_accuracy": accuracy(original, labels),
                    }
                )
    write_csv(out, pd.DataFrame(rows))


def _identity(zoo: Zoo, i: int) -> dict[str, int | str]:
    about = zoo.snapshots.iloc[i]
    return {"member": int(about["member"]), "task": about["task"], "snapshot": about["snapshot"]}
