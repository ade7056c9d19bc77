"""Control by D and R: do models reach the validation loss and the accuracy that are asked for?"""

import logging
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from wsl.evaluation.intervals import by_set, over_sets
from wsl.evaluation.null_arms import ARMS, AskedFor, numbers_of
from wsl.evaluation.settings import CONTROL_REQUESTS
from wsl.evaluation.validation import (
    Distinct,
    ValidationImages,
    few_per_task,
    held_out_tasks,
    repeats,
    requested_losses,
    typical_accuracies,
)
from wsl.files.plain import write_csv
from wsl.jobs.job import Job
from wsl.sampling.loading import Choice, MethodFiles, OpenRun
from wsl.sampling.methods.base import Method
from wsl.zoo.few_sets import SETS

log = logging.getLogger(__name__)
SCORES = ("prompt_alignment", "spearman", "accuracy_alignment", "accuracy_slope", "accuracy_spearman")
SCORES += ("accuracy_reached",)
ABOUT = ["sampler", "draw", "arm", "asked_task", "asked_loss"]  # columns besides those of tasks and of results
RESULTS = ["requested", "achieved", "accuracy_reached"]


def measure_control(
    method: Method,
    tasks: pd.DataFrame,
    requests: np.ndarray,
    images: ValidationImages,
    about: dict[str, str | int],
    recalibrated: Callable[[Any], Any] = lambda method: method,
    unit: str = SETS,
) -> pd.DataFrame:
    """Sample a model for every arm, task and request, and evaluate it on validation images.

    In all arms a model of request i has the seed of request i, and batch-normalisation statistics of the task that it
    is evaluated on, so that arms differ in the question alone.

    Of members with copies of the same models, only the first of a part and task has rows, see ``Distinct``.

    Args:
        method: samples the models.
        tasks: see ``held_out_tasks``.
        requests: validation losses, nats; request i has the seed i, and seeds go on where members share a task.
        images: of the tasks.
        about: ``sampler`` and ``draw``, columns to add.
        recalibrated: returns a method that re-estimates batch-normalisation statistics, see ``OpenRun.recalibrated``.
        unit: of intervals, see ``wsl.zoo.few_sets``; with ``members``, copies are left out.

    Returns:
        One row per arm, task and request: the task's columns, ``arm``, ``asked_task`` and ``asked_loss`` (nats) that
        the sampler got, ``requested`` and ``achieved`` (nats, infinite for non-finite outputs), ``accuracy_reached``.
    """
    rows, distinct = [], Distinct(unit)
    judged = {}  # by task and digest of a model: samplers that draw nothing repeat theirs for each member of a task
    for name, arm in ARMS.items():
        numbers = numbers_of(name, len(requests))
        for row, (task, repeat) in enumerate(zip(tasks.itertuples(index=False), repeats(tasks["task"]), strict=True)):
            question = arm(tasks, row, requests[numbers])
            if question is None:
                log.info("task %s: no arm %s, since all held-out tasks have its classes", task.task, name)
                continue
            sampler, own, models = recalibrated(AskedFor(method, question.task)), [], []
            for number, loss in zip(numbers, question.losses, strict=True):
                weights = sampler.sample(task.task, float(loss), seed=repeat * len(requests) + int(number))
                if weights is None:  # for example, the member diverged
                    log.warning("task %s: no model of %s", task.task, about["sampler"])
                    break
                models.append(sha256(np.asarray(weights)).digest())
                key = task.task, models[-1]
                if key not in judged:
                    judged[key] = images.judge(weights, task.task)
                asked = {"arm": name, "asked_task": question.task, "asked_loss": float(loss)}
                scores = dict(zip(RESULTS, (requests[number], *judged[key]), strict=True))
                own.append({**task._asdict(), **about, **asked, **scores})
            rows += own if distinct(models, name, task.part, task.task) else []
            log.info("task %s, arm %s: %d requests", task.task, name, len(numbers))
    return pd.DataFrame(rows, columns=[*tasks.columns, *ABOUT, *RESULTS])


def prompt_alignment(requested: np.ndarray, achieved: np.ndarray) -> float:
    """Return R² of the line achieved = requested, over values (n,) of one task; NaN unless two requests differ.

        1 - sum (achieved - requested)² / sum (requested - mean requested)²

    The *requests* are the targets, as in G.pt (Peebles et al. 2022, ``r_squared`` in Gpt/vis.py): 1 is perfect, 0 as
    good as always reaching the mean request, and there is no lower bound.
    """
    if not differ(requested):
        return float("nan")
    spread = np.square(requested - np.mean(requested)).sum()
    return float(1 - np.square(achieved - requested).sum() / spread)


def rank_correlation(requested: np.ndarray, achieved: np.ndarray) -> float:
    """Return Spearman's rank correlation; 0 if all achieved values are equal, NaN unless two requests differ."""
    if not differ(requested):
        return float("nan")
    if np.ptp(achieved) == 0:
        return 0.0
    return float(stats.spearmanr(requested, achieved).statistic)


def slope(requested: np.ndarray, achieved: np.ndarray) -> float:
    """Return the least-squares slope of achieved by requested values (n,); NaN unless two requests differ."""
    return float(stats.linregress(requested, achieved).slope) if differ(requested) else float("nan")


def differ(requested: np.ndarray) -> bool:
    """Return whether at least two requests (n,) differ."""
    return len(requested) > 1 and np.ptp(requested) > 0


def summarise_control(rows: pd.DataFrame, unit: str = SETS) -> pd.DataFrame:
    """Return one row per part, sampler and arm: means over sets of classes with 95 % intervals.

    Scores compare what models of a task reach with the requests, not with what an arm asked for: of losses the prompt
    alignment and ``spearman``; of accuracies the same (``accuracy_alignment``, ``accuracy_spearman``), the slope of a
    line, and ``accuracy_reached`` next to ``accuracy_asked``. Scores are averaged over the draws of a task, then over
    the tasks of a set. The ``non_finite`` losses among those of all ``models`` are left out. ``tasks`` counts tasks
    with at least two finite losses in some draw, and ``sets`` their sets of classes. ``pooled_spearman`` ranks the
    losses of all tasks together.

    Args:
        rows: see ``measure_control``, of all samplers and draws, with ``accuracy_asked``.
        unit: of intervals, see ``wsl.zoo.few_sets``.
    """
    table = []
    for (part, sampler, arm), group in rows.groupby(["part", "sampler", "arm"], sort=False):
        finite = group[np.isfinite(group["achieved"])]
        non_finite = len(group) - len(finite)
        if non_finite:
            where = f"{sampler} on {part} tasks, {arm}"
            log.warning("%s: %d of %d losses are non-finite", where, non_finite, len(group))
        by_draw = []
        for (member, task, _), draw in finite.groupby(["member", "task", "draw"]):
            losses = draw[["requested", "achieved"]].to_numpy().T
            accuracies = draw[["accuracy_asked", "accuracy_reached"]].to_numpy().T
            scores = prompt_alignment(*losses), rank_correlation(*losses)
            scores += prompt_alignment(*accuracies), slope(*accuracies), rank_correlation(*accuracies)
            by_draw.append((member, task, *scores, accuracies[1].mean()))
        scores = pd.DataFrame(by_draw, columns=["member", "task", *SCORES])
        row, means = {"part": part, "sampler": sampler, "arm": arm}, {}
        for name in SCORES:
            means[name] = over_sets(scores, name, unit=unit)
            row |= {name: means[name]["mean"], f"{name}_low": means[name]["low"], f"{name}_high": means[name]["high"]}
        row["accuracy_asked"] = by_set(finite, "accuracy_asked", unit=unit)["accuracy_asked"].mean()
        row["pooled_spearman"] = rank_correlation(*finite[["requested", "achieved"]].to_numpy().T)
        counts = {key: means["prompt_alignment"][key] for key in ("tasks", "sets", "unit")}
        table.append({**row, **counts, "models": len(group), "non_finite": non_finite})
    return pd.DataFrame(table)


def control_table(measured: Sequence[str | Path], out: str | Path, points: str | Path, unit: str = SETS) -> None:
    """Write the summary of all samplers and draws, and their rows (``points``) for the figure."""
    rows = pd.concat(map(pd.read_csv, measured), ignore_index=True)
    write_csv(points, rows)
    write_csv(out, summarise_control(rows, unit).round(4))


def judge_control(
    inputs: MethodFiles,
    out: str | Path,
    choice: Choice,
    requests: int = CONTROL_REQUESTS,
    unit: str = SETS,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write ``measure_control`` of one sampler on held-out tasks, for losses from ``requested_losses``.

    Column ``accuracy_asked`` has the accuracy that belongs to each request, see ``typical_accuracies``.
    """
    with OpenRun(inputs, choice, job.device) as run:
        losses = requested_losses(run.zoo.snapshots["validation_loss"].to_numpy(), requests)
        images = ValidationImages(run.images, run.layout, job.device)
        about = {"sampler": choice.name, "draw": choice.draw}
        tasks = few_per_task(held_out_tasks(inputs.held_out))
        rows = measure_control(run.load_as_decoded(), tasks, losses, images, about, run.recalibrated, unit)
        asked = typical_accuracies(run.zoo.snapshots, rows["requested"].to_numpy())
        write_csv(out, rows.assign(accuracy_asked=asked))
