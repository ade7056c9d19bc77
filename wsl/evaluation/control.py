"""Control by R: do models reach the requested validation loss?"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from wsl.evaluation.intervals import over_sets
from wsl.evaluation.settings import CONTROL_REQUESTS
from wsl.evaluation.validation import ValidationImages, held_out_tasks, requested_losses
from wsl.files.plain import write_csv
from wsl.jobs.job import Job
from wsl.sampling.loading import Choice, MethodFiles, OpenRun
from wsl.sampling.methods.base import Method
from wsl.zoo.few_sets import SETS

log = logging.getLogger(__name__)
SCORES = ("prompt_alignment", "spearman")


def measure_control(
    method: Method, tasks: pd.DataFrame, requests: np.ndarray, images: ValidationImages, about: dict[str, str | int]
) -> pd.DataFrame:
    """Sample a model for every task and request, and evaluate it on validation images.

    Args:
        method: samples the models.
        tasks: see ``held_out_tasks``.
        requests: validation losses, nats; request i has the seed i.
        images: of the tasks.
        about: ``sampler`` and ``draw``, columns to add.

    Returns:
        One row per task and request: the task's columns, ``requested`` and ``achieved`` (nats, infinite for non-finite
        outputs), ``accuracy``.
    """
    rows = []
    for task in tasks.itertuples(index=False):
        for seed, loss in enumerate(requests):
            weights = method.sample(task.task, float(loss), seed=seed)
            if weights is None:  # for example, the member diverged
                log.warning("task %s: no model of %s", task.task, about["sampler"])
                break
            achieved, accuracy = images.judge(weights, task.task)
            scores = {"requested": float(loss), "achieved": achieved, "accuracy": accuracy}
            rows.append({**task._asdict(), **about, **scores})
        log.info("task %s: %d requests", task.task, len(requests))
    return pd.DataFrame(rows)


def prompt_alignment(requested: np.ndarray, achieved: np.ndarray) -> float:
    """Return R² of the line achieved = requested, over losses (n,) of one task; NaN for fewer than two requests.

        1 - sum (achieved - requested)² / sum (requested - mean requested)²

    The *requests* are the targets, as in G.pt (Peebles et al. 2022, ``r_squared`` in Gpt/vis.py): 1 is perfect, 0 as
    good as always reaching the mean request, and there is no lower bound.
    """
    if len(requested) < 2:
        return float("nan")
    spread = np.square(requested - np.mean(requested)).sum()
    return float(1 - np.square(achieved - requested).sum() / spread)


def rank_correlation(requested: np.ndarray, achieved: np.ndarray) -> float:
    """Return Spearman's rank correlation; 0 if all achieved losses are equal, NaN for fewer than two."""
    if len(requested) < 2:
        return float("nan")
    if np.ptp(achieved) == 0:
        return 0.0
    return float(stats.spearmanr(requested, achieved).statistic)


def summarise_control(rows: pd.DataFrame, unit: str = SETS) -> pd.DataFrame:
    """Return one row per part and sampler: means over sets of classes with 95 % intervals.

    Scores are averaged over the draws of a task, then over the tasks of a set. The ``non_finite`` losses among those of
    all ``models`` are left out. ``tasks`` counts tasks with at least two finite losses in some draw, and ``sets`` their
    sets of classes. ``pooled_spearman`` ranks the losses of all tasks together.

    Args:
        rows: see ``measure_control``, of all samplers and draws.
        unit: of intervals, see ``wsl.zoo.few_sets``.
    """
    table = []
    for (part, sampler), group in rows.groupby(["part", "sampler"], sort=False):
        finite = group[np.isfinite(group["achieved"])]
        non_finite = len(group) - len(finite)
        if non_finite:
            log.warning("%s on %s tasks: %d of %d losses are non-finite", sampler, part, non_finite, len(group))
        by_draw = []
        for (member, task, _), draw in finite.groupby(["member", "task", "draw"]):
            losses = draw[["requested", "achieved"]].to_numpy().T
            by_draw.append((member, task, prompt_alignment(*losses), rank_correlation(*losses)))
        scores = pd.DataFrame(by_draw, columns=["member", "task", *SCORES]).dropna()
        row = {"part": part, "sampler": sampler}
        for name in SCORES:
            means = over_sets(scores, name, unit=unit)
            row |= {name: means["mean"], f"{name}_low": means["low"], f"{name}_high": means["high"]}
        pooled = rank_correlation(*finite[["requested", "achieved"]].to_numpy().T)
        counts = {key: means[key] for key in ("tasks", "sets", "unit")}
        counts |= {"models": len(group), "non_finite": non_finite}
        table.append({**row, "pooled_spearman": pooled, **counts})
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
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write ``measure_control`` of one sampler on held-out tasks, for losses from ``requested_losses``."""
    with OpenRun(inputs, choice, job.device) as run:
        losses = requested_losses(run.zoo.snapshots["validation_loss"].to_numpy(), requests)
        images = ValidationImages(run.images, run.layout, job.device)
        about = {"sampler": choice.name, "draw": choice.draw}
        write_csv(out, measure_control(run.load(), held_out_tasks(inputs.held_out), losses, images, about))
