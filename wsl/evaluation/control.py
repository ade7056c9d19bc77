"""Control by R: whether models reach the requested validation loss."""

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

log = logging.getLogger(__name__)
KEYS = ["part", "sampler"]
SCORES = ("prompt_alignment", "spearman")


def measure_control(
    method: Method, tasks: pd.DataFrame, requests: np.ndarray, images: ValidationImages, about: dict[str, str | int]
) -> pd.DataFrame:
    """Sample a model for every task and request and judge it on validation images.

    Args:
        method: samples models for a task and a request.
        tasks: see ``held_out_tasks``.
        requests: validation losses, nats; request i is sampled with seed i.
        images: of the tasks.
        about: columns to add, ``sampler`` and ``draw``.

    Returns:
        One row per task and request: the task's columns, ``requested`` and ``achieved`` (nats, infinite where outputs
        are non-finite), ``accuracy``.
    """
    rows = []
    for task in tasks.itertuples(index=False):
        for seed, loss in enumerate(requests):
            weights = method.sample(task.task, float(loss), seed=seed)
            if weights is None:  # for example of a member that diverged
                log.warning("task %s: no model of %s", task.task, about["sampler"])
                break
            achieved = images.judge(weights, task.task)
            scores = {"requested": float(loss), "achieved": achieved.loss, "accuracy": achieved.accuracy}
            rows.append({**task._asdict(), **about, **scores})
        log.info("task %s: %d requests", task.task, len(requests))
    return pd.DataFrame(rows)


def prompt_alignment(requested: np.ndarray, achieved: np.ndarray) -> float:
    """Return R² of the line achieved = requested, over losses (n,) of one task; NaN for fewer than two requests.

        1 - sum (achieved - requested)² / sum (requested - mean requested)²

    As in G.pt (Peebles et al. 2022, ``r_squared`` in its Gpt/vis.py), where the *requests* are the targets: 1 is
    perfect, 0 as good as always reaching the mean request, and there is no lower bound.
    """
    if len(requested) < 2:
        return float("nan")
    spread = np.square(requested - np.mean(requested)).sum()
    return float(1 - np.square(achieved - requested).sum() / spread)


def rank_correlation(requested: np.ndarray, achieved: np.ndarray) -> float:
    """Return Spearman's rank correlation, 0 where every achieved loss is the same, NaN for fewer than two."""
    if len(requested) < 2:
        return float("nan")
    if np.ptp(achieved) == 0:
        return 0.0
    return float(stats.spearmanr(requested, achieved).statistic)


def summarise_control(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per part and sampler, with means over sets of classes and their 95 % intervals.

    Draws of one task are averaged first, and tasks of one set after them. Non-finite losses cannot be averaged: they
    are left out of the correlations, and ``non_finite`` of ``models`` counts them. ``tasks`` counts those with at
    least two finite losses in some draw, ``sets`` their independent sets of classes. ``pooled_spearman`` ranks the
    losses of all tasks together.

    Args:
        rows: see ``measure_control``, of all samplers and draws.
    """
    table = []
    for key, group in rows.groupby(KEYS, sort=False):
        finite = group[np.isfinite(group["achieved"])]
        lost = len(group) - len(finite)
        if lost:
            log.warning("%s on %s tasks: %d of %d losses are non-finite", key[1], key[0], lost, len(group))
        by_draw = [
            (*name[:2], prompt_alignment(*losses), rank_correlation(*losses))
            for name, own in finite.groupby(["member", "task", "draw"])
            for losses in [own[["requested", "achieved"]].to_numpy().T]
        ]
        scores = pd.DataFrame(by_draw, columns=["member", "task", *SCORES]).dropna()
        row = dict(zip(KEYS, key, strict=True))
        for name in SCORES:
            found = over_sets(scores, name)
            row |= {name: found["mean"], f"{name}_low": found["low"], f"{name}_high": found["high"]}
        pooled = rank_correlation(*finite[["requested", "achieved"]].to_numpy().T)
        counts = {"tasks": found["tasks"], "sets": found["sets"], "models": len(group), "non_finite": lost}
        table.append({**row, "pooled_spearman": pooled, **counts})
    return pd.DataFrame(table)


def control_table(measured: Sequence[str | Path], out: str | Path, points: str | Path) -> None:
    """Write the summary of every sampler and draw, and all their rows in one file for the figure."""
    rows = pd.concat([pd.read_csv(path) for path in measured], ignore_index=True)
    write_csv(points, rows)
    write_csv(out, summarise_control(rows).round(4))


def judge_control(
    inputs: MethodFiles,
    out: str | Path,
    choice: Choice,
    requests: int = CONTROL_REQUESTS,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Measure one sampler's control by R on held-out tasks.

    Args:
        inputs: the sampler's files, and indices of held-out members named after their parts.
        out: CSV, see ``measure_control``.
        choice: the sampler.
        requests: losses requested per task, see ``requested_losses``.
        job: circumstances of the job.
    """
    with OpenRun(inputs, choice, job.device) as run:
        losses = requested_losses(run.zoo.snapshots["validation_loss"].to_numpy(), requests)
        images = ValidationImages(run.images, run.layout, job.device)
        about = {"sampler": choice.name, "draw": choice.draw}
        write_csv(out, measure_control(run.load(), held_out_tasks(inputs.held_out), losses, images, about))
