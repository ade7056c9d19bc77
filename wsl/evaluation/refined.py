"""Gains from a few gradient steps on a sampled model's code, and from as many on all its weights."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wsl.evaluation.intervals import over_sets
from wsl.evaluation.validation import Distinct, ValidationImages, few_per_task, held_out_tasks, repeats
from wsl.files.plain import write_csv
from wsl.jobs.job import Job
from wsl.outcomes.bins import read_bins
from wsl.sampling.loading import Choice, MethodFiles, OpenRun
from wsl.sampling.methods.base import CodeSampler
from wsl.sampling.refinement import Budget, Decoder, refine
from wsl.shared.pairs import read_codes
from wsl.zoo.few_sets import SETS

log = logging.getLogger(__name__)
STAGES = ("before", "refined", "fine_tuned")
COLUMNS = ["part", "member", "task", "method", "loss", "accuracy"]


def measure_refinement(
    sampler: CodeSampler,
    tasks: pd.DataFrame,
    loss: float,
    units: np.ndarray,
    budget: Budget,
    device: str = "cpu",
    unit: str = SETS,
) -> pd.DataFrame:
    """Sample a model for each task, refine it on the task's training images, and evaluate it on validation images.

    Of members with the same code, only the first of a part and task has rows, see ``Distinct``.

    Args:
        sampler: of codes.
        tasks: see ``held_out_tasks``.
        loss: requested, nats.
        units: see ``refine``.
        budget: see ``refine``.
        device: ``cpu`` or ``cuda``.
        unit: of intervals, see ``wsl.zoo.few_sets``; with ``members``, copies are left out.

    Returns:
        One row per task and ``method`` (``before``, ``refined``, ``fine_tuned``): the task's columns, ``loss`` (nats,
        infinite for non-finite outputs), ``accuracy``.
    """
    run, rows, distinct = sampler.run, [], Distinct(unit)
    decoder, validation = Decoder(run.codec, sampler.space, device), ValidationImages(run.images, run.layout, device)
    for seed, (task, repeat) in enumerate(zip(tasks.itertuples(index=False), repeats(tasks["task"]), strict=True)):
        code = sampler.codes(run.class_means.embed([task.task]), np.array([loss]), repeat)[0]
        if not distinct(code, task.part, task.task):
            continue
        images, labels = run.images.of_task(task.task)
        refined = refine(decoder, code, units, images.to(device), labels.to(device), budget, seed)
        for stage in STAGES:
            scores = validation.judge(getattr(refined, stage), task.task)
            rows.append({**task._asdict(), "method": stage, **scores._asdict()})
        log.info("task %s: accuracy %s", task.task, ", ".join(f"{row['accuracy']:.3f}" for row in rows[-3:]))
    return pd.DataFrame(rows, columns=[*tasks.columns, *COLUMNS[3:]])


def refinement_table(measured: Sequence[str | Path], out: str | Path, unit: str = SETS) -> None:
    """Write one row per part, sampler and method: see ``over_sets``, and the number of ``non_finite`` models.

    Args:
        measured: see ``measure_refinement``, of all samplers and draws.
        out: CSV.
        unit: of intervals, see ``wsl.zoo.few_sets``.
    """
    table, rows = pd.concat(map(pd.read_csv, measured), ignore_index=True), []
    for (part, sampler, method), group in table.groupby(["part", "sampler", "method"], sort=False):
        about = {"part": part, "sampler": sampler, "method": method}
        non_finite = int((~np.isfinite(group["loss"])).sum())
        rows.append({**about, **over_sets(group, "accuracy", "accuracy", unit), "non_finite": non_finite})
    write_csv(out, pd.DataFrame(rows).round(4))


def judge_refinement(
    inputs: MethodFiles,
    out: str | Path,
    choice: Choice,
    outcome: str | float,
    budget: Budget = Budget(),  # noqa: B008
    unit: str = SETS,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Measure refinement of one sampler's models on held-out tasks.

    Args:
        inputs: the sampler's files, and ``latents`` and ``coefficients`` of the training snapshots, whose standard
            deviations are the units of codes.
        out: CSV, see ``measure_refinement``; no rows for a sampler without codes.
        choice: the sampler.
        outcome: requested validation loss (nats) or ``best``.
        budget: see ``refine``.
        unit: see ``measure_refinement``.
        job: its device.
    """
    measured, tasks = pd.DataFrame(columns=COLUMNS), few_per_task(held_out_tasks(inputs.held_out))
    with OpenRun(inputs, choice, job.device) as run:
        sampler = run.load_as_decoded()  # refinement re-estimates statistics itself
        if sampler.space is None:
            log.info("%s samples weights directly: there is no code to refine", choice.name)
        else:
            codes, _ = read_codes(inputs["latents" if sampler.space == "latent" else "coefficients"], sampler.space)
            loss = read_bins(inputs.bins).requested_loss(outcome)
            measured = measure_refinement(sampler, tasks, loss, codes.std(axis=0), budget, job.device, unit)
    write_csv(out, measured.assign(sampler=choice.name, draw=choice.draw))
