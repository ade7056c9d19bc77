"""Novelty and diversity: are sampled models copies of training members or of one another?"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pandas as pd
from scipy import stats

from wsl.evaluation.distances import cosine, exact_distance, learned, measure_distances
from wsl.evaluation.intervals import over_sets
from wsl.evaluation.outputs import disagreement
from wsl.evaluation.settings import NOVELTY_SAMPLES
from wsl.evaluation.validation import Distinct, ValidationImages, few_per_task, held_out_tasks, repeats
from wsl.files.hdf5 import part_of
from wsl.files.plain import write_csv
from wsl.jobs.job import Job
from wsl.outcomes.bins import read_bins
from wsl.sampling.loading import Choice, MethodFiles, OpenRun
from wsl.sampling.methods.base import Method
from wsl.zoo.few_sets import SETS
from wsl.zoo.index import Zoo, open_zoo, read_snapshot

log = logging.getLogger(__name__)
NOVELTY = ("distance", "cosine", "centred_cosine")
NOVELTY += ("nearest_jaccard", "nearest_jaccard_chance", "trained_jaccard", "trained_jaccard_chance")
DIVERSITY = ("sample_distance", "sample_disagreement")


@contextmanager
def sampled_weights(
    method: Method, tasks: Sequence[str], loss: float, samples: int, folder: Path
) -> Iterator[tuple[h5py.Dataset, np.ndarray]]:
    """Sample models with seeds 0, 1, ... for each task, into a temporary file, since they may not fit into memory.

    If members share a task, the seeds of the next member follow.

    Yields:
        Flat weights (tasks * samples, n_weights), ordered by task, and a mask of those that are finite; the others are
        zeros.
    """
    with TemporaryDirectory(dir=folder) as temporary, h5py.File(Path(temporary, "samples.h5"), "w") as file:
        weights, finite = None, np.ones(len(tasks) * samples, dtype=bool)
        seeds = np.add.outer(samples * np.array(repeats(tasks), dtype=int), np.arange(samples)).ravel().tolist()
        for row, seed in enumerate(seeds):
            vector = method.sample(tasks[row // samples], loss, seed=seed)
            if vector is None:  # for example, the member diverged
                finite[row] = False
                continue
            if weights is None:
                weights = file.create_dataset("weights", (len(finite), len(vector)), dtype=np.float32)
            finite[row] = np.isfinite(vector).all()
            weights[row] = vector if finite[row] else 0
        if not finite.all():
            count = np.count_nonzero(~finite)
            log.warning("%d of %d sampled models are missing or have non-finite weights", count, len(finite))
        yield weights, finite


def trained_predictions(indices: Sequence[str | Path], images: ValidationImages) -> dict[tuple[str, int], np.ndarray]:
    """Return the predictions of fully trained held-out members on images of their tasks, by part and member."""
    predictions = {}
    for path in indices:
        with open_zoo(path) as zoo:
            for row in zoo.trained:
                member, task = zoo.snapshots.loc[row, ["member", "task"]]
                predictions[part_of(path), int(member)] = images.predictions(read_snapshot(zoo, row), task)
    return predictions


def measure_novelty(
    weights: h5py.Dataset,
    finite: np.ndarray,
    tasks: pd.DataFrame,
    training: Zoo,
    indices: Sequence[str | Path],
    images: ValidationImages,
    unit: str = SETS,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare samples with training snapshots, with the models trained on their tasks and with one another.

    Of members with copies of the same models, only the first of a part and task has rows, see ``Distinct``.

    Args:
        weights: of samples, see ``sampled_weights``.
        finite: mask of samples, see ``sampled_weights``.
        tasks: see ``held_out_tasks``.
        training: the training members.
        indices: of the held-out parts.
        images: of the tasks.
        unit: of intervals, see ``wsl.zoo.few_sets``; with ``members``, copies are left out.

    Returns:
        One row per sample: the task's columns, ``seed``, ``finite``, and for finite samples ``nearest_member`` and
        ``nearest_snapshot`` (by L2 distance of learned weights, among all snapshots), the distance to it in units of
        weights (``l2``) and of the median distance between training members (``distance``), ``cosine`` to it, also
        centred on the training mean (``centred_cosine``), and the Jaccard index of errors on validation images with
        those of that snapshot (``nearest_``) and of the model trained on the task (``trained_``), both also at chance.

        One row per task: number of finite ``samples``, and their ``sample_distance`` and ``sample_disagreement``,
        averaged over pairs.
    """
    each = len(weights) // len(tasks)
    distances, mask = measure_distances(training, weights), learned(training.layout)
    trained = trained_predictions(indices, images)
    rows, diversity, distinct = [], [], Distinct(unit)
    for i, (task, repeat) in enumerate(zip(tasks.itertuples(index=False), repeats(tasks["task"]), strict=True)):
        labels = images.labels(task.task)
        samples = range(i * each, (i + 1) * each)
        if not distinct(weights[samples.start : samples.stop], task.part, task.task):
            continue
        kept = [sample for sample in samples if finite[sample]]
        predictions = {sample: images.predictions(weights[sample], task.task) for sample in kept}
        trained_model = trained.get((task.part, task.member))  # None if the member diverged
        for seed, sample in enumerate(samples, repeat * each):
            row = {**task._asdict(), "seed": seed, "finite": bool(finite[sample])}
            if finite[sample]:
                errors = predictions[sample] != labels
                nearest = int(np.argmin(distances.to_training[sample]))
                ours, theirs = weights[sample], read_snapshot(training, nearest)
                apart = exact_distance(ours[mask], theirs[mask])
                # The snapshot's head is for another task, but is evaluated on this one.
                nearest_errors = images.predictions(theirs, task.task) != labels
                row |= {
                    "nearest_member": int(training.snapshots["member"][nearest]),
                    "nearest_snapshot": training.snapshots["snapshot"][nearest],
                    "l2": apart,
                    "distance": apart / distances.unit,
                    "cosine": cosine(ours[mask], theirs[mask]),
                    "centred_cosine": distances.cosines[sample, nearest],
                    "nearest_jaccard": jaccard(errors, nearest_errors),
                    "nearest_jaccard_chance": jaccard_chance(errors, nearest_errors),
                }
                if trained_model is not None:
                    row["trained_jaccard"] = jaccard(errors, trained_model != labels)
                    row["trained_jaccard_chance"] = jaccard_chance(errors, trained_model != labels)
            rows.append(row)
        pairs = distances.between[np.ix_(kept, kept)][np.triu_indices(len(kept), k=1)] / distances.unit
        spread = {
            "sample_distance": pairs.mean() if len(pairs) else float("nan"),
            "sample_disagreement": disagreement(np.array(list(predictions.values()))),
        }
        diversity.append({**task._asdict(), "samples": len(kept), **spread})
    columns = [*tasks.columns, "seed", "finite", "nearest_member", "nearest_snapshot", "l2", *NOVELTY]
    return pd.DataFrame(rows).reindex(columns=columns), pd.DataFrame(diversity)


def novelty_table(
    measured: Sequence[str | Path], diversity: Sequence[str | Path], out: str | Path, unit: str = SETS
) -> None:
    """Write one row per part, sampler and measure: see ``over_sets``, and the ``non_finite`` samples of all ``models``.

    An overlap of errors is not defined if both models make none, nor a distance between fewer than two samples.

    Args:
        measured: tables of samples, of all samplers and draws, see ``measure_novelty``.
        diversity: tables of tasks.
        out: CSV.
        unit: of intervals, see ``wsl.zoo.few_sets``.
    """
    samples, spreads = (pd.concat(map(pd.read_csv, paths), ignore_index=True) for paths in (measured, diversity))
    rows = []
    for (part, sampler), group in samples.groupby(["part", "sampler"], sort=False):
        tasks = spreads[(spreads["part"] == part) & (spreads["sampler"] == sampler)]
        counts = {"models": len(group), "non_finite": int((~group["finite"].astype(bool)).sum())}
        for table, names in ((group, NOVELTY), (tasks, DIVERSITY)):
            for name in names:
                about = {"part": part, "sampler": sampler, "measure": name}
                rows.append({**about, **over_sets(table, name, unit=unit), **counts})
    write_csv(out, pd.DataFrame(rows).round(4))


def judge_novelty(
    inputs: MethodFiles,
    out: str | Path,
    diversity: str | Path,
    choice: Choice,
    outcome: str | float,
    samples: int = NOVELTY_SAMPLES,
    unit: str = SETS,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write ``measure_novelty`` of one method: rows of samples to ``out``, and of held-out tasks to ``diversity``.

    Args:
        inputs: the method's files.
        out: CSV.
        diversity: CSV.
        choice: the method.
        outcome: requested validation loss (nats) or ``best``.
        samples: number of models per task.
        unit: see ``measure_novelty``.
        job: its device.
    """
    tasks, folder = few_per_task(held_out_tasks(inputs.held_out)), Path(out).parent
    folder.mkdir(parents=True, exist_ok=True)
    with OpenRun(inputs, choice, job.device) as run:
        loss = read_bins(inputs.bins).requested_loss(outcome)
        images = ValidationImages(run.images, run.layout, job.device)
        with sampled_weights(run.load(), list(tasks["task"]), loss, samples, folder) as (weights, finite):
            tables = measure_novelty(weights, finite, tasks, run.zoo, inputs.held_out, images, unit)
    for path, table in zip((out, diversity), tables, strict=True):
        write_csv(path, table.assign(sampler=choice.name, draw=choice.draw))


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Return the Jaccard index of two sets, given as masks (n,): intersection over union; NaN if both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else float("nan")


def jaccard_chance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the expected Jaccard index of two independent random sets of these sizes (n,).

    Two poor models share many errors by chance, so only an overlap above this value is meaningful. The size of the
    intersection has a hypergeometric distribution.
    """
    sizes = np.count_nonzero(a), np.count_nonzero(b)
    if not any(sizes):
        return float("nan")
    common = np.arange(min(sizes) + 1)
    shares = common / (sum(sizes) - common)
    return float(shares @ stats.hypergeom(len(a), *sizes).pmf(common))
