"""What a few gradient steps add to sampled models: on their codes, or on all weights at equal compute."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wsl.evaluation.intervals import over_sets
from wsl.evaluation.validation import ValidationImages, held_out_tasks
from wsl.files.plain import write_csv
from wsl.jobs.job import Job
from wsl.outcomes.bins import read_bins
from wsl.sampling.loading import Choice, MethodFiles, OpenRun
from wsl.sampling.methods.base import CodeSampler
from wsl.sampling.refinement import Budget, Decoder, refine
from wsl.shared.pairs import read_codes

log = logging.getLogger(__name__)
STAGES = ("before", "refined", "fine_tuned")
COLUMNS = ["part", "member", "task", "method", "loss", "accuracy"]


def measure_refinement(
    sampler: CodeSampler, tasks: pd.DataFrame, loss: float, units: np.ndarray, budget: Budget, device: str = "cpu"
) -> pd.DataFrame:
    """Sample a model for each task, refine it on the task's training images, judge it on its validation images.

    Args:
        sampler: of codes.
        tasks: see ``held_out_tasks``.
        loss: requested, nats.
        units: see ``refine``.
        budget: see ``refine``.
        device: ``cpu`` or ``cuda``.

    Returns:
        One row per task and stage (``method``: ``before``, ``refined``, ``fine_tuned``): the task's columns, ``loss``
        (nats, infinite where outputs are non-finite), ``accuracy``.
    """
    run, rows = sampler.run, []
    decoder, validation = Decoder(run.codec, sampler.space, device), ValidationImages(run.images, run.layout, device)
    for seed, task in enumerate(tasks.itertuples(index=False)):
        code = sampler.codes(run.class_means.embed([task.task]), np.array([loss]), 0)[0]
        images, labels = run.images.of_task(task.task)
        refined = refine(decoder, code, units, images.to(device), labels.to(device), budget, seed)
        for stage in STAGES:
            judged = validation.judge(getattr(refined, stage), task.task)
            rows.append({**task._asdict(), "method": stage, **judged._asdict()})
        log.info("task %s: accuracy %s", task.task, ", ".join(f"{row['accuracy']:.3f}" for row in rows[-3:]))
    return pd.DataFrame(rows, columns=[*tasks.columns, *COLUMNS[3:]])


def refinement_table(measured: Sequence[str | Path], out: str | Path) -> None:
    """Write one row per part, sampler and method: mean accuracy over sets of classes with its 95 % interval.

    Draws of a task are averaged first, and tasks of one set after them. ``tasks`` and ``sets`` count them, and
    ``non_finite`` the models with non-finite outputs, whose accuracy is 0.

    Args:
        measured: see ``measure_refinement``, of all samplers and draws.
        out: CSV.
    """
    table = pd.concat([pd.read_csv(path) for path in measured], ignore_index=True)
    rows = []
    for (part, sampler, method), group in table.groupby(["part", "sampler", "method"], sort=False):
        about = {"part": part, "sampler": sampler, "method": method}
        lost = int((~np.isfinite(group["loss"])).sum())
        rows.append({**about, **over_sets(group, "accuracy", "accuracy"), "non_finite": lost})
    write_csv(out, pd.DataFrame(rows).round(4))


def judge_refinement(
    inputs: MethodFiles,
    out: str | Path,
    choice: Choice,
    outcome: str | float,
    budget: Budget = Budget(),  # noqa: B008
    job: Job = Job(),  # noqa: B008
) -> None:
    """Measure refinement of one sampler's models on held-out tasks.

    Args:
        inputs: the sampler's files, indices of held-out members named after their parts, and ``latents`` and
            ``coefficients`` of the training snapshots, whose standard deviations are the units of codes.
        out: CSV, see ``measure_refinement``; without rows for a sampler of whole weights, which has no codes.
        choice: the sampler.
        outcome: requested validation loss (nats) or ``best``.
        budget: see ``refine``.
        job: circumstances of the job.
    """
    measured, tasks = pd.DataFrame(columns=COLUMNS), held_out_tasks(inputs.held_out)
    with OpenRun(inputs, choice, job.device) as run:
        sampler = run.load_as_decoded()  # refinement re-estimates statistics itself
        if sampler.space is None:
            log.info("%s samples whole weights: there is no code to refine", choice.name)
        else:
            known, _ = read_codes(inputs["latents" if sampler.space == "latent" else "coefficients"], sampler.space)
            loss = read_bins(inputs.bins).requested_loss(outcome)
            measured = measure_refinement(sampler, tasks, loss, known.std(axis=0), budget, job.device)
    write_csv(out, measured.assign(sampler=choice.name, draw=choice.draw))
