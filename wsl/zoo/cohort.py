"""Train several members in one job: one after the other on a CPU, together on a GPU."""

import copy
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import torch



from wsl.images.inputs import normalised
from wsl.images.reading import USUAL, Normalisation, packed_by_class
from wsl.jobs.job import Job
from wsl.jobs.progress import NOWHERE, Progress
from wsl.zoo.stack import Stack
from wsl.zoo.stacked_network import MappedNetwork, StackedNetwork
from wsl.zoo.member import write_member
from wsl.zoo.settings import MemberTraining
from wsl.zoo.training import Training

Tensors = dict[str, torch.Tensor]  # by name


def train_cohort(
    packed: Sequence[str | Path],
    out: Sequence[str | Path],
    plans: Sequence[dict[str, Any]],
    settings: MemberTraining,
    start: str | Path | None = None,
    normalisation: Normalisation = USUAL,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Train members and write one file per member, with the results of separate trainings.

    On a GPU, members with equal batch sizes are trained together: equal up to rounding. Networks with dropout are
    trained one after the other, each with its own random numbers. The progress of ``job`` saves the states of finished
    members too, since Snakemake deletes the files of a failed job.

    Args:
        packed: packed images of all their classes.
        out: the members' files.
        plans: their rows of the plan, in the order of ``out``.
        settings: shared by all members.
        start: weights to start from; None: random ones.
        normalisation: of images.
        job: threads, device and progress.
    """
    torch.set_num_threads(job.threads)
    by_class = packed_by_class(packed)

    def prepare(plan: dict[str, Any]) -> Training:
        files = [by_class[name] for name in plan["classes"]]
        return Training(files, plan, settings, start, job.device, normalisation)

    if job.device == "cpu" or draws_numbers(prepare(plans[0])):
        for plan, path in zip(plans, out, strict=True):
            training = prepare(plan)
            training.run(job.progress)
            write_member(path, training.member())
        return
    trainings = [prepare(plan) for plan in plans]
    for _, group in groupby(sorted(trainings, key=_batch), key=_batch):
        train_together(list(group), job.progress)
    for training, path in zip(trainings, out, strict=True):
        write_member(path, training.member())


def draws_numbers(training: Training) -> bool:
    """Return whether passes in training draw random numbers, as those with dropout do."""
    network = copy.deepcopy(training.network).cpu().train()
    images = normalised(training.images["train"][0][:2].cpu(), network.normalisation)
    before = torch.get_rng_state()
    network(images)
    return not torch.equal(torch.get_rng_state(), before)


def train_together(
    trainings: Sequence[Training], progress: Progress = NOWHERE, joined: type[StackedNetwork | MappedNetwork] = MappedNetwork
) -> None:
    """Train members of equal batch size to the end, with one network pass per step for all of them."""
    for training in trainings:
        training.begin(progress)
    while running := [training for training in trainings if not training.done]:
        stack = Stack(running, joined)
        while not any(training.done for training in running):
            stack.run_epoch()
