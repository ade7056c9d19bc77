"""Novelty and diversity: are sampled models copies of training members, or of one another?"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
import pandas as pd

from wsl.evaluation.distances import Distances, cosine, exact_distance, learned, measure_distances
from wsl.evaluation.intervals import over_sets
from wsl.evaluation.overlap import disagreement, jaccard, jaccard_chance
from wsl.evaluation.settings import NOVELTY_SAMPLES
from wsl.evaluation.validation import ValidationImages, held_out_tasks
from wsl.files.hdf5 import part_of
from wsl.files.plain import write_csv
from wsl.jobs.job import Job
from wsl.outcomes.bins import read_bins
from wsl.sampling.loading import Choice, MethodFiles, OpenRun
from wsl.sampling.methods.base import Method
from wsl.zoo.index import Zoo, open_zoo, read_snapshot

log = logging.getLogger(__name__)
NOVELTY = (
    *("distance", "cosine", "centred_cosine"),
    *("nearest_jaccard", "nearest_jaccard_chance", "trained_jaccard", "trained_jaccard_chance"),
)
DIVERSITY = ("sample_distance", "sample_disagreement")


@contextmanager
def sampled_weights(
    method: Method, tasks: Sequence[str], loss: float, samples: int, folder: Path
) -> Iterator[tuple[h5py.Dataset, np.ndarray]]:
    """Sample models with seeds 0, 1, ... for each task; yield their weights, in a temporary file.

    All of them together need more memory than a job requests.

    Yields:
        Flat weights (tasks * samples, n_weights), task by task, and which of them are finite; the others
        are zeros.
    """
    with TemporaryDirectory(dir=folder) as temporary, h5py.File(Path(temporary, "samples.h5"), "w") as file:
        weights, finite = None, np.ones(len(tasks) * samples, dtype=bool)
        for row in range(len(finite)):
            vector = method.sample(tasks[row // samples], loss, seed=row % samples)
            if vector is None:  # for example of a member that diverged
                finite[row] = False
                continue
            if weights is None:
                weights = file.create_dataset("weights", (len(finite), len(vector)), dtype=np.float32)
            finite[row] = np.isfinite(vector).all()
            weights[row] = vector if finite[row] else 0
        if not finite.all():
            log.warning(
                "%d of %d sampled models are missing or have non-finite weights", np.count_nonzero(~finite), len(finite)
            )
        yield weights, finite


def trained_predictions(indices: Sequence[str | Path], images: ValidationImages) -> dict[tuple[str, int], np.ndarray]:
    """Return the predictions of each fully trained held-out member on its own task's images, by part and member."""
    predictions = {}
    for path in indices:
        with open_zoo(path) as zoo:
            for row in zoo.trained:
                weights = read_snapshot(zoo, row)
                key = part_of(path), int(zoo.snapshots["member"][row])
                predictions[key] = images.predictions(weights, zoo.snapshots["task"][row])
    return predictions


class NearestTraining:
    """Compares samples with the training snapshots nearest to them.

    Args:
        training: index of the training members.
        distances: between them and all samples.
        images: of the samples' tasks.
    """

    def __init__(self, training: Zoo, distances: Distances, images: ValidationImages):
        self.training, self.distances, self.images = training, distances, images
        self.mask = learned(training.layout)

    def __call__(self, sample: int, weights: np.ndarray, errors: np.ndarray, task: str) -> dict[str, Any]:
        """Compare a sample, by its number, with the nearest snapshot: weights, and errors (n,) on the task's images."""
        row = int(np.argmin(self.distances.to_training[sample]))
        nearest = read_snapshot(self.training, row)
        # Its head belongs to another task, but is judged on this one, like the sample.
        wrong = self.images.predictions(nearest, task) != self.images.labels(task)
        return {
            "nearest_member": int(self.training.snapshots["member"][row]),
            "nearest_snapshot": self.training.snapshots["snapshot"][row],
            "distance": exact_distance(weights[self.mask], nearest[self.mask]) / self.distances.unit,
            "cosine": cosine(weights[self.mask], nearest[self.mask]),
            "centred_cosine": self.distances.cosines[sample, row],
            "nearest_jaccard": jaccard(errors, wrong),
            "nearest_jaccard_chance": jaccard_chance(errors, wrong),
        }


def measure_novelty(
    weights: h5py.Dataset,
    finite: np.ndarray,
    tasks: pd.DataFrame,
    training: Zoo,
    indices: Sequence[str | Path],
    images: ValidationImages,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare samples with the training snapshots, with the tasks' own trained models and with one another.

    Args:
        weights: of samples, see ``sampled_weights``.
        finite: which of them are finite.
        tasks: see ``held_out_tasks``.
        training: the training members.
        indices: of the held-out parts.
        images: of the tasks.

    Returns:
        One row per sample: the task's columns, ``seed``, ``finite``; ``nearest_member`` and ``nearest_snapshot``, by L2
        distance of learned weights among all kept snapshots, untrained ones included; ``distance`` to it, 1 being the
        median distance between training members; ``cosine`` to it, and ``centred_cosine`` as seen from the training
        mean; the Jaccard index of its errors on validation images with those of that snapshot (``nearest_``) and of the
        model trained on the task itself (``trained_``), and both at chance. A sample that is not finite has none of
        these.

        One row per task: ``samples`` that are finite, and ``sample_distance`` and ``sample_disagreement`` between them,
        averaged over pairs.
    """
    each = len(weights) // len(tasks)
    distances = measure_distances(training, weights)
    nearest, trained = NearestTraining(training, distances, images), trained_predictions(indices, images)
    rows, diversity = [], []
    for i, task in enumerate(tasks.itertuples(index=False)):
        labels = images.labels(task.task)
        kept = [number for number in range(i * each, (i + 1) * each) if finite[number]]
        predictions = {number: images.predictions(weights[number], task.task) for number in kept}
        trained_here = trained.get((task.part, task.member))  # a diverged member leaves its task but no weights
        for seed, number in enumerate(range(i * each, (i + 1) * each)):
            row = {**task._asdict(), "seed": seed, "finite": bool(finite[number])}
            if finite[number]:
                errors = predictions[number] != labels
                row |= nearest(number, weights[number], errors, task.task)
                if trained_here is not None:
                    row["trained_jaccard"] = jaccard(errors, trained_here != labels)
                    row["trained_jaccard_chance"] = jaccard_chance(errors, trained_here != labels)
            rows.append(row)
        pairs = distances.between[np.ix_(kept, kept)][np.triu_indices(len(kept), k=1)] / distances.unit
        spread = {
            "sample_distance": pairs.mean() if len(pairs) else float("nan"),
            "sample_disagreement": disagreement(np.array(list(predictions.values()))),
        }
        diversity.append({**task._asdict(), "samples": len(kept), **spread})
    # Includes columns that no sample fills.
    columns = [*tasks.columns, "seed", "finite", "nearest_member", "nearest_snapshot", *NOVELTY]
    return pd.DataFrame(rows).reindex(columns=columns), pd.DataFrame(diversity)


def novelty_table(measured: Sequence[str | Path], diversity: Sequence[str | Path], out: str | Path) -> None:
    """Write one row per part, sampler and measure: the mean over sets of classes with its 95 % interval.

    Samples and draws of a task are averaged first, and tasks of one set after them. ``tasks`` counts those where the
    measure is defined, ``sets`` their independent sets of classes: an overlap of errors is not defined where two models
    make none, nor a distance between fewer than two samples. ``non_finite`` counts the ``models`` left out.

    Args:
        measured: tables of samples, of all samplers and draws, see ``measure_novelty``.
        diversity: tables of tasks.
        out: CSV.
    """
    samples = pd.concat([pd.read_csv(path) for path in measured], ignore_index=True)
    spreads = pd.concat([pd.read_csv(path) for path in diversity], ignore_index=True)
    rows = []
    for (part, sampler), group in samples.groupby(["part", "sampler"], sort=False):
        between = spreads[(spreads["part"] == part) & (spreads["sampler"] == sampler)]
        counts = {"models": len(group), "non_finite": int((~group["finite"].astype(bool)).sum())}
        for table, names in ((group, NOVELTY), (between, DIVERSITY)):
            for name in names:
                about = {"part": part, "sampler": sampler, "measure": name}
                rows.append({**about, **over_sets(table, name), **counts})
    write_csv(out, pd.DataFrame(rows).round(4))


def judge_novelty(
    inputs: MethodFiles,
    out: str | Path,
    diversity: str | Path,
    choice: Choice,
    outcome: str | float,
    samples: int = NOVELTY_SAMPLES,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Measure one sampler's novelty and diversity on held-out tasks.

    Args:
        inputs: the sampler's files, and indices of held-out members named after their parts.
        out: CSV, one row per sample, see ``measure_novelty``.
        diversity: CSV, one row per task, see ``measure_novelty``.
        choice: the sampler.
        outcome: requested validation loss (nats) or ``best``.
        samples: models per task.
        job: circumstances of the job.
    """
    tasks, folder = held_out_tasks(inputs.held_out), Path(out).parent
    folder.mkdir(parents=True, exist_ok=True)
    with OpenRun(inputs, choice, job.device) as run:
        loss = read_bins(inputs.bins).requested_loss(outcome)
        images = ValidationImages(run.images, run.layout, job.device)
        with sampled_weights(run.load(), list(tasks["task"]), loss, samples, folder) as (weights, finite):
            tables = measure_novelty(weights, finite, tasks, run.zoo, inputs.held_out, images)
    for path, table in zip((out, diversity), tables, strict=True):
        write_csv(path, table.assign(sampler=choice.name, draw=choice.draw))
