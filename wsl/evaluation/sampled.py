"""Accuracy of sampled models on held-out tasks, beside what costs less thought (figure 3.2's claim, judged)."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wsl.datasets.class_means import ClassMeans
from wsl.evaluation.outputs import Runner, accuracy
from wsl.files import write_csv
from wsl.images.inputs import load_task, normalised
from wsl.images.reading import join_task, packed_by_class
from wsl.tensors import read_tensors
from wsl.weights.codec import load_codec, read_latents
from wsl.zoo.index import Zoo, open_zoo, read_weights
from wsl.zoo.network import flatten

log = logging.getLogger(__name__)


def judge_samples(
    models: Sequence[str | Path],
    index: str | Path,
    latents: str | Path,
    train_index: str | Path,
    fitted: Sequence[str | Path],
    autoencoder: str | Path,
    class_means: Sequence[str | Path],
    packed: Sequence[str | Path],
    out: str | Path,
    device: str = "cpu",
) -> None:
    """Write the accuracy on *test* images of every model for every held-out task.

    Args:
        models: sampled models' files, one a held-out member's task.
        index, latents: of the held-out members.
        train_index, fitted, autoencoder: the weight codec's files; class_means: a file a class.
        packed: packed images, a file a class.
        out: CSV, ``member``, ``task``, ``method``, ``accuracy``. Methods: ``sampled``; ``chance``; ``mean``, the
            mean of the training members' max snapshots; ``nearest``, the max snapshot of the training member whose
            dataset embedding is most similar; ``reconstructed``, the held-out member's own max snapshot through
            the weight codec; ``trained``, that snapshot itself, trained from scratch on the task.
    """
    codec = load_codec(train_index, fitted, autoencoder)
    means, files = ClassMeans(class_means), packed_by_class(packed)
    own_latents, own = read_latents(latents)
    own_row = {member: row for row, member in enumerate(own["member"]) if own["snapshot"][row] == "max"}
    rows = []
    with open_zoo(index) as zoo, open_zoo(train_index) as training:
        runner = Runner(zoo.layout, device)
        finished = np.flatnonzero(training.snapshots["snapshot"] == "max")
        mean = mean_weights(training, finished)
        known = means.embed(training.snapshots["task"].iloc[finished])
        for path in models:
            state, about = read_tensors(path)
            member, task = about["member"], join_task(about["classes"])
            candidates = {"sampled": flatten(state, zoo.layout)[0], "mean": mean}
            neighbour = finished[nearest(means.embed([task])[0], known)]
            candidates["nearest"] = read_weights(training, slice(neighbour, neighbour + 1))[0]
            if member in own_row:  # a diverged member leaves its task but no weights
                row = own_row[member]
                candidates["reconstructed"] = codec.decode(own_latents[row : row + 1])[0]
                candidates["trained"] = read_weights(zoo, slice(row, row + 1))[0]
            images, labels = load_task([files[name] for name in about["classes"]], "test")
            inputs = normalised(images)
            scores = {method: _score(runner, weights, inputs, labels) for method, weights in candidates.items()}
            scores["chance"] = torch.bincount(labels).double().max().item() / len(labels)
            rows.extend({"member": member, "task": task, "method": m, "accuracy": s} for m, s in scores.items())
            log.info("task %s: sampled %.3f, nearest %.3f", task, scores["sampled"], scores["nearest"])
    write_csv(out, pd.DataFrame(rows))


def mean_weights(zoo: Zoo, rows: np.ndarray) -> np.ndarray:
    """Return the mean of the snapshots at ``rows`` (n_weights,), read one at a time."""
    total = np.zeros(zoo.layout.size)
    for row in rows:
        total += read_weights(zoo, slice(row, row + 1))[0]
    return (total / len(rows)).astype(np.float32)


def nearest(embedding: np.ndarray, known: np.ndarray) -> int:
    """Return the row of ``known`` (n, dataset) most similar to ``embedding`` (dataset,), by centred cosine."""
    centre = known.mean(axis=0)
    a, b = embedding - centre, known - centre
    return int(np.argmax(b @ a / np.maximum(np.linalg.norm(b, axis=1), 1e-12)))


def _score(runner: Runner, weights: np.ndarray, inputs: torch.Tensor, labels: torch.Tensor) -> float:
    return accuracy(runner.logits(weights, inputs), labels)
