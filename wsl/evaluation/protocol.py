"""The protocol: accuracy of samplers and baselines on held-out tasks, by number of images and epochs of fine-tuning."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from wsl.evaluation.finetuning import fine_tuned
from wsl.evaluation.outputs import Runner, accuracy
from wsl.evaluation.settings import FineTuning
from wsl.evaluation.validation import Distinct, held_out_tasks
from wsl.files.plain import write_csv
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.jobs.job import Job
from wsl.outcomes.bins import read_bins
from wsl.randomness import integer_seed
from wsl.sampling.loading import Choice, MethodFiles, OpenRun
from wsl.zoo.few_sets import MEMBERS, SETS
from wsl.zoo.layout import Layout

log = logging.getLogger(__name__)
COLUMNS = ["part", "member", "task", "method", "draw", "images", "epochs", "recalibrated", "accuracy"]


def judge(
    inputs: MethodFiles,
    out: str | Path,
    choice: Choice,
    outcome: str | float,
    counts: list[int],
    finetuning: FineTuning,
    unit: str = SETS,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write the accuracy of one method's models on every held-out task.

    Where members share tasks, each member's model is another sample. A method that gives two members of a part the same
    weights, since it draws nothing, has a row for the first of them only: copies of one model add nothing.

    Args:
        inputs: the method's files.
        out: CSV with ``part``, ``member``, ``task``, ``method``, ``draw``, ``images`` (per class, or ``all``),
            ``epochs``, ``recalibrated`` (False: with batch-normalisation statistics as decoded), ``accuracy``.
            Tasks of the part ``validation`` are evaluated on *validation* images and may be used for choices; all
            others on *test* images.
        choice: the method. The first draw is also fine-tuned, except for references, which are trained on the task.
        outcome: requested validation loss (nats), or ``best``.
        counts: numbers of images per class that may be used, in addition to all.
        finetuning: epochs after which models are evaluated, and the recipe.
        unit: of intervals, see ``wsl.zoo.few_sets``; with ``members``, the seed of a sample depends on the member too.
        job: device and threads; the draw is the seed.
    """
    torch.set_num_threads(job.threads)
    rows: list[tuple] = []
    with OpenRun(inputs, choice, job.device) as run:
        tasks = _Tasks(run, choice, read_bins(inputs.bins).requested_loss(outcome), finetuning, unit, job.device)
        for (part, task), group in held_out_tasks(inputs.held_out).groupby(["part", "task"], sort=False):
            for one in tasks.judged(part, task, group["member"], counts):
                for about, recalibrated in one.rows:
                    rows.extend((*about, epochs, recalibrated, score) for epochs, score in one.scores.items())
            log.info("%s: part %s, task %s evaluated", choice.name, part, task)
    write_csv(out, pd.DataFrame(rows, columns=COLUMNS))


@dataclass
class Judged:
    """A model.

    Attributes:
        scores: accuracy by epochs of fine-tuning; empty: there is no model for the request.
        weights: before fine-tuning, if it is to be fine-tuned.
        rows: columns of the rows that have its scores before ``epochs``, and whether statistics were re-estimated.
    """

    scores: dict[int, float]
    weights: np.ndarray | None = None
    rows: list[tuple[tuple, bool]] = field(default_factory=list)


class _Tasks:
    """Evaluates the models of one method, task by task; the arguments are those of ``judge``."""

    def __init__(self, run: OpenRun, choice: Choice, loss: float, finetuning: FineTuning, unit: str, device: str):
        self.run, self.choice, self.loss, self.finetuning, self.unit = run, choice, loss, finetuning, unit
        self.as_decoded = run.load_as_decoded()
        self.method, self.reference = run.recalibrated(self.as_decoded), self.as_decoded.kind == "reference"
        self.scores, self.device = Scores(run.images, run.layout, device), device

    def judged(self, part: str, task: str, members: Iterable[int], counts: Sequence[int]) -> list[Judged]:
        """Return the models for the held-out members of one task."""
        # Choices are made between models from all images.
        all_only = part == "validation" or not self.as_decoded.uses_images
        requests = [(self.method, images) for images in ([None] if all_only else [*counts, None])]
        requests += [(self.as_decoded, None)] if self.method is not self.as_decoded else []
        own = self.unit == MEMBERS or self.reference  # whether each member has a model of its own
        found: dict[tuple, Judged] = {}
        distinct = Distinct(self.unit)
        for place, self.run.member in enumerate(members):
            for model, images in requests:
                request = model is self.method, images
                key = *request, self.run.member if own else None
                if key not in found:
                    weights = self._sample(model, task, images)
                    if not distinct(weights, *request):
                        continue
                    tuned = self._tunes(part, place) and request == (True, None)
                    scores = {} if weights is None else {0: self.scores(weights, task, part)}
                    found[key] = Judged(scores, weights if tuned else None)
                about = part, self.run.member, task, self.choice.name, self.choice.draw
                found[key].rows.append(((*about, "all" if images is None else images), model is self.method))
        waiting = [one for one in found.values() if one.weights is not None]
        models = [one.weights for one in waiting]
        tuned = fine_tuned(models, task, self.run.images, self.run.layout, self.finetuning, self.device)
        for one, by_epoch in zip(waiting, tuned, strict=True):
            one.scores |= {epoch: self.scores(weights, task, part) for epoch, weights in by_epoch.items()}
        return list(found.values())

    def _sample(self, model: Any, task: str, images: int | None) -> np.ndarray | None:
        return model.sample(task, self.loss, images, seed=sample_seed(self.choice.draw, self.unit, self.run.member))

    def _tunes(self, part: str, place: int) -> bool:
        """Return whether the model of a member of a task, by its place among them, is fine-tuned."""
        tuned = part != "validation" and self.choice.draw == 0 and not self.reference
        return tuned and place < (self.finetuning.members or inf)


def sample_seed(draw: int, unit: str, member: int) -> int:
    """Return the seed of a sample for a held-out member: the draw, or one of its own where members share tasks."""
    return integer_seed(draw, "sample", member) if unit == MEMBERS else draw


class Scores:
    """Evaluates flat weights on tasks."""

    def __init__(self, images: TaskImages, layout: Layout, device: str):
        self.images, self.layout, self.runner = images, layout, Runner(layout, device)
        self._key, self._inputs, self._labels = ("", ""), torch.empty(0), torch.empty(0)

    def __call__(self, weights: np.ndarray, task: str, part: str) -> float:
        """Return the accuracy on validation images for the part ``validation``, and on test images for others."""
        key = task, "validation" if part == "validation" else "test"
        if key != self._key:  # caches one task, since callers take one task after another
            images, self._labels = self.images.of_task(task, part=key[1])
            self._key, self._inputs = key, normalised(images, self.layout.normalisation)
        return accuracy(self.runner.logits(weights, self._inputs), self._labels)
