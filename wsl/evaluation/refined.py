"""What a few gradient steps add to sampled models: on their codes, or on all weights at equal compute."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wsl.datasets.class_means import ClassMeans
from wsl.evaluation.intervals import over_sets
from wsl.evaluation.validation import ValidationImages, held_out_tasks
from wsl.files import write_csv
from wsl.images.tasks import TaskImages
from wsl.outcomes.bins import read_bins
from wsl.sampling.makers import Makers
from wsl.sampling.making import DecodedModels
from wsl.sampling.refinement import Budget, Decoder, refine
from wsl.sampling.sampler import Sampler
from wsl.weights.codec import read_latents
from wsl.weights.coefficients import read_coefficients

log = logging.getLogger(__name__)
METHODS = ("before", "refined", "fine_tuned")


def measure_refinement(
    sampler: Sampler,
    decoder: Decoder,
    tasks: pd.DataFrame,
    datasets: np.ndarray,
    loss: float,
    units: np.ndarray,
    training: TaskImages,
    validation: ValidationImages,
    budget: Budget,
    device: str = "cpu",
) -> pd.DataFrame:
    """Sample a model for each task, refine it on the task's training images, judge it on its validation images.

    Args:
        sampler: of codes; decoder: of its codes.
        tasks: see ``held_out_tasks``; datasets: their z_D (tasks, dataset).
        loss: requested, nats.
        units: see ``refine``.
        training, validation: images of the tasks.
        budget: see ``refine``.
        device: ``cpu`` or ``cuda``.

    Returns:
        A row a task and method (``before``, ``refined``, ``fine_tuned``): the task's columns, ``loss`` (nats,
        infinite where outputs are non-finite), ``accuracy``.
    """
    rows = []
    for seed, task in enumerate(tasks.itertuples(index=False)):
        code = sampler.codes(datasets[seed : seed + 1], np.array([loss]), 0)[0]
        images, labels = training.of_task(task.task)
        refined = refine(decoder, code, units, images.to(device), labels.to(device), budget, seed)
        for method in METHODS:
            judged = validation.judge(getattr(refined, method), task.task)
            rows.append({**task._asdict(), "method": method, **judged._asdict()})
        log.info("task %s: accuracy %s", task.task, ", ".join(f"{row['accuracy']:.3f}" for row in rows[-3:]))
    return pd.DataFrame(rows)


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
    held_out: Sequence[str | Path],
    latents: str | Path,
    coefficients: str | Path,
    out: str | Path,
    sampler: str,
    draw: int,
    budget: dict[str, float],
    outcome: str | float,
    device: str = "cpu",
    **files: Any,
) -> None:
    """Measure refinement of one sampler's models on held-out tasks.

    Args:
        held_out: indices named after their parts.
        latents, coefficients: of the training snapshots, whose deviations are a code's units.
        out: CSV, see ``measure_refinement``; with no row for a sampler that makes whole weights and has no code.
        sampler: its name; draw: which of its fits.
        budget: see ``Budget``.
        outcome: requested validation loss (nats) or ``best``.
        device: ``cpu`` or ``cuda``.
        files: see ``wsl.sampling.makers.Makers``.
    """
    columns = ["part", "member", "task", "method", "loss", "accuracy"]
    measured, tasks = pd.DataFrame(columns=columns), held_out_tasks(held_out)
    with Makers(device=device, **files) as makers:
        maker = makers.load(sampler, recalibrate=False)  # refinement does that itself
        if isinstance(maker, DecodedModels):
            space = maker.sampler.space
            known, _ = read_latents(latents) if space == "latent" else read_coefficients(coefficients)
            measured = measure_refinement(
                maker.sampler,
                Decoder(maker.codec, space, device),
                tasks,
                ClassMeans(makers.class_means).embed(tasks["task"]),
                read_bins(makers.bins).requested_loss(outcome),
                known.std(axis=0),
                makers.images,
                ValidationImages(makers.images, makers.layout, device),
                Budget(**budget),
                device,
            )
        else:
            log.info("%s makes whole weights: there is no code to refine", sampler)
    write_csv(out, measured.assign(sampler=sampler, draw=draw))
