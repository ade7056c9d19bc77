"""Check that imported networks see images as in their training: their accuracy here against that of their zoo."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from wsl.evaluation.validation import ValidationImages
from wsl.files.plain import Files, write_csv
from wsl.images.tasks import TaskImages
from wsl.jobs.job import Job
from wsl.zoo.index import open_zoo, read_snapshot

log = logging.getLogger(__name__)
MOST = 20  # members, evenly spaced


def compare_accuracies(
    index: str | Path,
    packed: Files,
    out: str | Path,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write the validation accuracies of fully trained members that their zoo reports, and those on a run's images.

    Much lower accuracies on the run's validation images show another normalisation, order of classes or size.

    Args:
        index: of the members.
        packed: packed images, one file per class, or a list of them.
        out: CSV, one row per member: ``member``, ``reported``, ``recomputed``.
        job: its device.
    """
    rows = []
    with open_zoo(index) as zoo:
        images = ValidationImages(TaskImages(packed), zoo.layout, job.device)
        places = np.unique(np.linspace(0, len(zoo.trained) - 1, MOST).round().astype(int))
        for row in zoo.trained[places]:
            about = zoo.snapshots.iloc[row]
            accuracy = images.judge(read_snapshot(zoo, row), about["task"]).accuracy
            rows.append((int(about["member"]), float(about["validation_accuracy"]), accuracy))
    table = pd.DataFrame(rows, columns=["member", "reported", "recomputed"])
    reported, recomputed = (100 * table[key].mean() for key in ("reported", "recomputed"))
    text = "validation accuracy of %d members: %.1f %% reported by their zoo, %.1f %% on validation images of this run"
    log.info(text, len(table), reported, recomputed)
    write_csv(out, table)
