"""Fit a merged body on the training members, choose its number on validation tasks, and load it."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsl.files.tensors import read_tensors, write_tensors
from wsl.images.inputs import mixed_images
from wsl.images.reading import task_classes
from wsl.jobs.job import Job
from wsl.sampling.features import BodyFeatures
from wsl.sampling.loading import Choice, MethodFiles, OpenRun
from wsl.sampling.merging._members import Members
from wsl.sampling.merging.base import MERGES, Merge
from wsl.sampling.methods.constant import start_state
from wsl.sampling.methods.task_heads import Prototypes
from wsl.sampling.prompt_members import PromptMembers
from wsl.sampling.recalibration import re_estimate
from wsl.zoo.layout import layout_to_text
from wsl.zoo.network import State, flatten, network_for, state_dict, with_zero_head

log = logging.getLogger(__name__)
FOR_STATISTICS = 40  # images of each known class from which batch-normalisation statistics are estimated


def fit_merged(
    inputs: MethodFiles,
    out: str | Path,
    name: str,
    settings: dict[str, Any],
    known: list[str],
    recalibrate: bool = True,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Merge the training members, with the number that gives the best class prototypes on validation tasks.

    Candidates are evaluated on *validation* images of the tasks of validation members.

    Args:
        inputs: those of every method, ``start`` if the members have a common one, and the index of the validation
            members as ``held_out``.
        out: safetensors file of a state dict with a head of zeros; empty for a merge that makes a body for each task.
            Its metadata hold the ``number``, and the accuracy of each candidate.
        name: of the merge.
        settings: of the merge.
        known: names of the classes that the zoo saw.
        recalibrate: re-estimate batch-normalisation statistics of bodies for a task.
        job: seed of the images for statistics.
    """
    torch.set_num_threads(job.threads)
    with OpenRun(inputs, Choice(name=name, known=known, recalibrate=recalibrate), job.device) as run:
        merge = loaded(name, settings)
        tasks = run.held_out[0].members["task"].drop_duplicates().tolist()
        bodies = BodiesByTask(run, merge) if merge.by_task else WholeBodies(run, merge, job.seed)
        accuracies = {}
        for number in merge.numbers if len(merge.numbers) > 1 else ():
            each = [prototype_accuracy(*bodies.of_task(number, task), task) for task in tasks]
            accuracies[number] = float(np.mean(each))
            log.info("%s: %g gives %.4f on %d validation tasks", name, number, accuracies[number], len(tasks))
        number = max(accuracies, key=accuracies.get) if accuracies else next(iter(merge.numbers), None)
        about = {"merge": name, "settings": settings, "number": number, "accuracies": [*accuracies.items()]}
        about["layout"] = layout_to_text(run.layout)
        state = {} if merge.by_task else with_zero_head(bodies.state(number), run.layout)
        write_tensors(out, state, about)


def prototype_accuracy(state: State, features: BodyFeatures, task: str) -> float:
    """Return the accuracy of class prototypes, fitted to all training images of a task, on its validation images."""
    weight, _ = Prototypes.head(features.of_task(task))
    rows = [features.of_class(name, "validation") for name in task_classes(task)]
    labels = torch.arange(len(rows)).repeat_interleave(torch.tensor([*map(len, rows)]))
    return ((torch.cat(rows) @ weight.T).argmax(1) == labels).float().mean().item()


class WholeBodies:
    """Bodies for all tasks, by number."""

    def __init__(self, run: OpenRun, merge: Merge, seed: int):
        self.run, self.merge, self.members = run, merge, members_of(run)
        known = [run.images.files[name] for name in run.choice.known]
        self.images = mixed_images(known, FOR_STATISTICS, seed).to(run.device) if run.layout.normalises else None
        self._number, self._body = None, None

    def of_task(self, number: float | None, task: str) -> tuple[State, BodyFeatures]:
        """Return the state dict of a body and its features of images."""
        if self._body is None or number != self._number:  # all tasks of a number follow each other
            state = self.state(number)
            features = BodyFeatures(state, self.run.layout, self.run.images, self.run.device)
            self._number, self._body = number, (state, features)
        return self._body

    def state(self, number: float | None) -> State:
        """Return the state dict of a body with re-estimated batch-normalisation statistics."""
        state = state_dict(self.merge.body(self.members, number), self.run.layout, self.run.counters)
        if self.images is None:
            return state
        network = network_for(self.run.layout).to(self.run.device)
        network.load_state_dict(state)
        re_estimate(network, self.images)
        return network.architecture.snapshot(network)


class BodiesByTask:
    """Bodies for a task, from the members with the most similar data sets."""

    def __init__(self, run: OpenRun, merge: Merge):
        self.run, self.merge, self.members = run, merge, members_of(run)
        self.prompts = PromptMembers(run)

    def of_task(self, number: float, task: str, images: int | None = None) -> tuple[State, BodyFeatures]:
        """Return the state dict of a body and its features of images; ``images`` per class may be used."""
        dataset = self.run.class_means.embed([task], images)[0]
        similarity = self.prompts.similarities(dataset, names=images == 0).max(axis=0)
        nearest = self.prompts.rows[np.argsort(-similarity, kind="stable")]
        weights = self.merge.of_task(self.members, nearest, number)
        if self.run.recalibration is not None:
            weights = self.run.recalibration(weights, self.run.images.of_task(task, images)[0])
        state = state_dict(weights, self.run.layout, self.run.counters)
        return state, BodyFeatures(state, self.run.layout, self.run.images, self.run.device)


class MergedBody:
    """The body that ``fit_merged`` chose, for any task.

    Args:
        run: an opened run.
        path: the file of ``fit_merged``.
    """

    def __init__(self, run: OpenRun, path: str | Path):
        self.run = run
        self.state, about = read_tensors(path)
        merge, self.number = loaded(about["merge"], about["settings"]), about["number"]
        self.bodies = BodiesByTask(run, merge) if merge.by_task else None

    def of_task(self, task: str, images: int | None) -> tuple[State, BodyFeatures]:
        """Return the state dict of the body for a task and its features of images; ``images`` per class may be used."""
        if self.bodies is not None:
            return self.bodies.of_task(self.number, task, images)
        return self.run.frozen(str(self.run.files["merged"]), lambda run: self.state)


def loaded(name: str, settings: dict[str, Any]) -> Merge:
    """Return a way to merge with its settings."""
    return MERGES[name](MERGES[name].Settings.model_validate(settings))


def members_of(run: OpenRun) -> Members:
    """Return what merges read of a run."""
    start = flatten(start_state(run), run.layout)[0] if "start" in run.files else None
    return Members(run, start)
