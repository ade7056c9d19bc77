"""Train several members in one job: together where that is faster."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsl.images.reading import USUAL, Normalisation, packed_by_class
from wsl.jobs.job import Job
from wsl.jobs.memory import keep_memory
from wsl.jobs.progress import NOWHERE, Progress
from wsl.zoo.member import write_members
from wsl.zoo.settings import MemberTraining
from wsl.zoo.stack import Stack
from wsl.zoo.stack_choice import Kind, kind_for, most_together
from wsl.zoo.stacked_network import StackedNetwork
from wsl.zoo.training import Training


def train_cohort(
    packed: Sequence[str | Path],
    out: str | Path,
    plans: Sequence[dict[str, Any]],
    settings: MemberTraining,
    start: str | Path | None = None,
    normalisation: Normalisation = USUAL,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Train members and write them into one file, with the results of separate trainings up to rounding.

    Members with equal batch sizes train together: on a GPU all of them, on a CPU as many as its cache holds, if their
    layers can be stacked (``wsl.zoo.stacked_layers``). Networks with dropout are trained one after the other, each with
    its own random numbers, and so are those whose layers cannot be stacked on a CPU: with the bytes of separate
    trainings. The progress of ``job`` saves the states of finished members too, since Snakemake deletes the files of a
    failed job.

    Args:
        packed: packed images of all their classes.
        out: the file, see ``wsl.zoo.member``.
        plans: their rows of the plan.
        settings: shared by all members.
        start: weights to start from; None: random ones.
        normalisation: of images.
        job: threads, device and progress.
    """
    torch.set_num_threads(job.threads)
    keep_memory()
    by_class = packed_by_class(packed)

    def prepare(place: int) -> Training:
        files = [by_class[name] for name in plans[place]["classes"]]
        return Training(files, plans[place], settings, start, job.device, normalisation)

    first, size = prepare(0), len(plans)
    kind, members = kind_for(first) if size > 1 else None, {}
    for places in [[place] for place in range(size)] if kind is None else groups(plans):
        if kind is not None and job.device == "cpu":
            size = most_together(first, plans[places[0]]["batch_size"])
        for chosen in np.array_split(places, -(-len(places) // size)):
            trainings = [prepare(place) for place in chosen]
            if kind is None:
                trainings[0].run(job.progress)
            else:
                train_together(trainings, job.progress, kind)
            for place, training in zip(chosen, trainings, strict=True):
                members[place] = training.member()
    write_members(out, [members[place] for place in range(len(plans))])


def groups(plans: Sequence[dict[str, Any]]) -> Iterator[list[int]]:
    """Yield the places of members with equal batch sizes, and equal tasks if they may share batches.

    Those with as many epochs are neighbours, since members that train together should finish together.
    """
    tasks = Counter((plan["batch_size"], *plan["classes"]) for plan in plans if "batch_seed" in plan)

    def key(place: int) -> tuple[int, list[str]]:
        size, classes = plans[place]["batch_size"], plans[place]["classes"]
        return size, classes if tasks[(size, *classes)] > 1 else []

    ordered = sorted(range(len(plans)), key=lambda place: (key(place), plans[place]["max_epoch"]))
    for _, group in groupby(ordered, key):
        yield list(group)


def train_together(trainings: Sequence[Training], progress: Progress = NOWHERE, kind: Kind = StackedNetwork) -> None:
    """Train members to the end; one network pass per step serves all those with batches of equal size."""
    for training in trainings:
        training.begin(progress)
    for _, group in groupby(sorted(trainings, key=_batch), _batch):
        members = list(group)
        while running := [training for training in members if not training.done]:
            stack = Stack(running, kind)
            while not any(training.done for training in running):
                stack.run_epoch()


def _batch(training: Training) -> int:
    return min(training.plan["batch_size"], len(training.images["train"][0]))
