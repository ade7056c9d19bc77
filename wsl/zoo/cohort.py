"""Train several members in one job: one after the other on a CPU, together on a GPU."""

import copy
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch.func import functional_call, vmap
from torch.nn import functional

from wsl.images.inputs import normalised
from wsl.images.reading import packed_by_class
from wsl.job import Job
from wsl.progress import NOWHERE, Progress
from wsl.zoo.epochs import Moves, Step, computing_in, moved, widened
from wsl.zoo.member import write_member
from wsl.zoo.settings import MemberTraining
from wsl.zoo.training import Training, train_to_end


def train_cohort(
    packed: Sequence[str | Path],
    out: Sequence[str | Path],
    plans: Sequence[dict[str, Any]],
    settings: MemberTraining,
    start: str | Path | None = None,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Train members and write one file per member, with the results of separate trainings.

    On a GPU, members with equal batch sizes are trained together, see ``train_together``: equal up to rounding.

    Args:
        packed: packed images of all their classes.
        out: the members' files.
        plans: their rows of the plan, in the order of ``out``.
        settings: what all members share.
        start: weights to start from; None: random ones.
        job: its progress saves the states of members, finished ones too, since Snakemake deletes the files of a failed
            job.
    """
    torch.set_num_threads(job.threads)
    by_class, device, progress = packed_by_class(packed), job.device, job.progress

    def training(plan: dict[str, Any]) -> Training:
        return Training([by_class[name] for name in plan["classes"]], plan, settings, start, device)

    if device == "cpu":
        for plan, path in zip(plans, out, strict=True):
            alone = training(plan)
            part = _part(alone)
            train_to_end(alone, progress, part)
            progress.save(alone.state, part, now=True)
            write_member(path, alone.member())
        return
    trainings = [training(plan) for plan in plans]
    for one in trainings:
        if state := progress.load(_part(one), device):
            one.restore(state)
    ordered = sorted(trainings, key=_batch)
    for _, alike in groupby(ordered, key=_batch):
        train_together(list(alike), progress)
    for one, path in zip(trainings, out, strict=True):
        write_member(path, one.member())


def train_together(trainings: Sequence[Training], progress: Progress = NOWHERE) -> None:
    """Train members of equal batches to their ends, all in one network pass a step."""
    running = [one for one in trainings if not one.done]
    while running:
        stack = Stack(running)
        while not any(one.done for one in running):
            stack.run_epoch()
            for one in running:
                progress.save(one.state, _part(one), now=one.done)
        running = [one for one in running if not one.done]


class Stack:
    """Networks of equal shape, whose weights lie side by side, so that one pass of a step serves all of them.

    The members' own networks, optimisers and schedules stay as they are: their tensors become views of the stacked
    ones, and each optimiser steps over its member's part.

    Args:
        trainings: with batches of equal size, and one precision.
    """

    def __init__(self, trainings: Sequence[Training]):
        self.trainings = trainings
        self.template = copy.deepcopy(trainings[0].network).train()
        networks = [one.network for one in trainings]
        self.parameters = _stacked([dict(network.named_parameters()) for network in networks], learned=True)
        self.buffers = _stacked([dict(network.named_buffers()) for network in networks], learned=False)
        images, labels = zip(*(one.images["train"] for one in trainings), strict=True)
        self.images, self.labels = torch.cat(images), torch.cat(labels)
        counts = torch.tensor([0, *map(len, images)])
        self.starts = counts.cumsum(0)[:-1]

    def run_epoch(self) -> None:
        """Train all for an epoch; members of fewer images wait while the others' last steps are taken."""
        drawn = [one.draw_steps() for one in self.trainings]
        device = self.images.device
        totals, correct = (torch.zeros(len(drawn), device=device) for _ in range(2))
        for number in range(max(map(len, drawn))):
            active = [number < len(steps) for steps in drawn]
            losses, right = self._step([steps[min(number, len(steps) - 1)] for steps in drawn], active)
            counted = torch.tensor(active, device=device)
            totals += torch.where(counted, losses, 0)
            correct += torch.where(counted, right, 0)
        steps = torch.tensor([len(one) for one in drawn], device=device)
        for one, loss, accuracy in zip(
            self.trainings, (totals / steps).tolist(), (correct / steps).tolist(), strict=True
        ):
            one.close_epoch(loss, accuracy)

    def _step(self, steps: Sequence[Step], active: Sequence[bool]) -> tuple[torch.Tensor, torch.Tensor]:
        """Take a step of each active member and return the losses and accuracies of all (members,)."""
        device, count = self.images.device, len(steps)
        places = torch.cat([step.batch + start for step, start in zip(steps, self.starts, strict=True)]).to(device)
        images, labels = self.images[places], self.labels[places].unflatten(0, (count, -1))
        if steps[0].moves is not None:
            flips, shifts = zip(*(step.moves for step in steps), strict=True)
            images = moved(images, Moves(torch.cat(flips), torch.cat(shifts, dim=1)))
        waiting = [i for i, on in enumerate(active) if not on]
        kept = {name: value[waiting].clone() for name, value in self.buffers.items()} if waiting else {}
        losses, logits = vmap(self._loss)(
            self.parameters, self.buffers, normalised(images).unflatten(0, (count, -1)), labels
        )
        torch._foreach_zero_([value.grad for value in self.parameters.values()])
        losses.sum().backward()
        for one, on in zip(self.trainings, active, strict=True):
            if on:
                one.optimizer.step()
        for name, value in kept.items():
            self.buffers[name][waiting] = value
        return losses.detach(), (logits.argmax(2) == labels).float().mean(1)

    def _loss(
        self,
        parameters: dict[str, torch.Tensor],
        buffers: dict[str, torch.Tensor],
        inputs: torch.Tensor,
        labels: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        with computing_in(self.trainings[0].precision, inputs.device):
            logits = functional_call(self.template, (parameters, buffers), (inputs,))
        logits = widened(logits)
        return functional.cross_entropy(logits, labels), logits


def _stacked(tensors: Sequence[dict[str, torch.Tensor]], learned: bool) -> dict[str, torch.Tensor]:
    """Stack tensors of equal names and leave each a view of its part; gradients too, of those that are learned."""
    stacked = {}
    for name in tensors[0]:
        whole = torch.stack([own[name].detach() for own in tensors]).requires_grad_(learned)
        whole.grad = torch.zeros_like(whole) if learned else None
        for place, own in enumerate(tensors):
            own[name].data = whole.data[place]
            own[name].grad = whole.grad[place] if learned else None
        stacked[name] = whole
    return stacked


def _batch(training: Training) -> int:
    return min(training.plan["batch_size"], len(training.images["train"][0]))


def _part(training: Training) -> str:
    return f"{training.plan['member']:05d}"
