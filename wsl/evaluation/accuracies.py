"""Test accuracies of all snapshots, a target of probes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wsl.evaluation.outputs import Runner
from wsl.files.plain import Files, write_csv
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.jobs.job import Job
from wsl.weights.snapshots import read_snapshots
from wsl.zoo.index import open_zoo


def measure_accuracies(
    indices: Sequence[str | Path],
    packed: Files,
    out: str | Path,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write the test accuracy of every snapshot.

    Args:
        indices: of members.
        packed: packed images, one file per class, or a list of them.
        out: CSV with ``member``, ``snapshot``, ``test_accuracy``.
        job: its device.
    """
    images, tables = TaskImages(packed), []
    for path in indices:
        with open_zoo(path) as zoo:
            runner, accuracies = Runner(zoo.layout, job.device), np.empty(len(zoo.snapshots))
            for task, rows in zoo.snapshots.groupby("task", sort=False).indices.items():
                inputs, labels = images.of_task(task, part="test")
                inputs = normalised(inputs, zoo.layout.normalisation)
                for places in runner.groups(rows):
                    weights = read_snapshots(zoo, places)
                    accuracies[places] = (runner.logits_of(weights, inputs).argmax(2) == labels).double().mean(1)
            tables.append(zoo.snapshots[["member", "snapshot"]].assign(test_accuracy=accuracies))
    write_csv(out, pd.concat(tables, ignore_index=True))
