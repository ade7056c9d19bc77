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
from wsl.images.reading import USUAL, Normalisation, packed_by_class
from wsl.jobs.job import Job
from wsl.jobs.progress import NOWHERE, Progress
from wsl.zoo.epochs import Moves, Step, computing_in, moved, widened
from wsl.zoo.member import write_members
from wsl.zoo.settings import MemberTraining
from wsl.zoo.training import Training

Tensors = dict[str, torch.Tensor]  # by name


def train_cohort(
    packed: Sequence[str | Path],
    out: str | Path,
    plans: Sequence[dict[str, Any]],
    settings: MemberTraining,
    start: str | Path | None = None,
    normalisation: Normalisation = USUAL,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Train members and write them into one file, with the results of separate trainings.

    On a GPU, members with equal batch sizes are trained together: equal up to rounding. Networks with dropout are
    trained one after the other, each with its own random numbers. The progress of ``job`` saves the states of finished
    members too, since Snakemake deletes the files of a failed job.

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
    by_class = packed_by_class(packed)

    def prepare(plan: dict[str, Any]) -> Training:
        files = [by_class[name] for name in plan["classes"]]
        return Training(files, plan, settings, start, job.device, normalisation)

    if len(plans) == 1 or job.device == "cpu" or draws_numbers(prepare(plans[0])):
        members = []
        for training in map(prepare, plans):
            training.run(job.progress)
            members.append(training.member())
    else:
        trainings = [prepare(plan) for plan in plans]
        for _, group in groupby(sorted(trainings, key=_batch), key=_batch):
            train_together(list(group), job.progress)
        members = [training.member() for training in trainings]
    write_members(out, members)


def draws_numbers(training: Training) -> bool:
    """Return whether passes in training draw random numbers, as those with dropout do."""
    network = copy.deepcopy(training.network).cpu().train()
    images = normalised(training.images["train"][0][:2].cpu(), network.normalisation)
    before = torch.get_rng_state()
    network(images)
    return not torch.equal(torch.get_rng_state(), before)


def train_together(trainings: Sequence[Training], progress: Progress = NOWHERE) -> None:
    """Train members of equal batch size to the end, with one network pass per step for all of them."""
    for training in trainings:
        training.begin(progress)
    while running := [training for training in trainings if not training.done]:
        stack = Stack(running)
        while not any(training.done for training in running):
            stack.run_epoch()


class Stack:
    """Networks of members with equal batch size, stacked so that one forward and backward pass serves all of them.

    The members' networks, optimisers and schedules stay as they are: their tensors become views of the stacked ones,
    and each optimiser updates its member's part.
    """

    def __init__(self, trainings: Sequence[Training]):
        self.trainings = trainings
        self.template = copy.deepcopy(trainings[0].network).train()
        networks = [training.network for training in trainings]
        self.parameters = _stacked([dict(network.named_parameters()) for network in networks], learned=True)
        self.buffers = _stacked([dict(network.named_buffers()) for network in networks], learned=False)
        images, labels = zip(*(training.images["train"] for training in trainings), strict=True)
        self.images, self.labels = torch.cat(images), torch.cat(labels)
        self.starts = torch.tensor([0, *map(len, images)]).cumsum(0)[:-1]

    def run_epoch(self) -> None:
        """Train all members for one epoch; members with fewer images skip the last steps."""
        drawn = [training.draw_steps() for training in self.trainings]
        device = self.images.device
        totals, correct = (torch.zeros(len(drawn), device=device) for _ in range(2))
        for number in range(max(map(len, drawn))):
            active = [number < len(steps) for steps in drawn]
            losses, right = self._step([steps[min(number, len(steps) - 1)] for steps in drawn], active)
            counted = torch.tensor(active, device=device)
            totals += torch.where(counted, losses, 0)
            correct += torch.where(counted, right, 0)
        counts = torch.tensor(list(map(len, drawn)), device=device)
        values = zip((totals / counts).tolist(), (correct / counts).tolist(), strict=True)
        for training, (loss, accuracy) in zip(self.trainings, values, strict=True):
            training.close({"train_loss": loss, "train_accuracy": accuracy})

    def _step(self, steps: Sequence[Step], active: Sequence[bool]) -> tuple[torch.Tensor, torch.Tensor]:
        """Train all active members for one step and return the losses and accuracies of all (members,)."""
        device, count = self.images.device, len(steps)
        places = torch.cat([step.batch + start for step, start in zip(steps, self.starts, strict=True)]).to(device)
        images, labels = self.images[places], self.labels[places].unflatten(0, (count, -1))
        if steps[0].moves is not None:
            flips, shifts = zip(*(step.moves for step in steps), strict=True)
            images = moved(images, Moves(torch.cat(flips), torch.cat(shifts, dim=1)))
        waiting = [i for i, on in enumerate(active) if not on]
        kept = {name: value[waiting].clone() for name, value in self.buffers.items()} if waiting else {}
        inputs = normalised(images, self.template.normalisation).unflatten(0, (count, -1))
        losses, logits = vmap(self._loss)(self.parameters, self.buffers, inputs, labels)
        torch._foreach_zero_([value.grad for value in self.parameters.values()])
        losses.sum().backward()
        for training, on in zip(self.trainings, active, strict=True):
            if on:
                training.optimizer.step()
        for name, value in kept.items():
            self.buffers[name][waiting] = value
        return losses.detach(), (logits.argmax(2) == labels).float().mean(1)

    def _loss(
        self, parameters: Tensors, buffers: Tensors, inputs: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        with computing_in(self.trainings[0].precision, inputs.device):
            logits = functional_call(self.template, (parameters, buffers), (inputs,))
        logits = widened(logits)
        return functional.cross_entropy(logits, labels), logits


def _stacked(tensors: Sequence[Tensors], learned: bool) -> Tensors:
    """Stack tensors by name and turn each into a view of its part of the stack; with gradients if they are learned."""
    stacked = {}
    for name in tensors[0]:
        whole = torch.stack([member[name].detach() for member in tensors]).requires_grad_(learned)
        whole.grad = torch.zeros_like(whole) if learned else None
        for place, member in enumerate(tensors):
            member[name].data = whole.data[place]
            member[name].grad = whole.grad[place] if learned else None
        stacked[name] = whole
    return stacked


def _batch(training: Training) -> int:
    return min(training.plan["batch_size"], len(training.images["train"][0]))
