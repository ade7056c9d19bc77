"""The protocol: accuracy of samplers and baselines on held-out tasks, by number of images and epochs of fine-tuning."""

import logging
from collections import Counter
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from wsl.evaluation.outputs import Runner, accuracy
from wsl.evaluation.settings import FineTuning
from wsl.evaluation.validation import held_out_tasks
from wsl.files.plain import write_csv
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.jobs.job import Job
from wsl.outcomes.bins import read_bins
from wsl.randomness import integer_seed
from wsl.sampling.loading import Choice, MethodFiles, OpenRun
from wsl.zoo.epochs import make_optimizer, train_epoch
from wsl.zoo.few_sets import MEMBERS, SETS
from wsl.zoo.layout import Layout
from wsl.zoo.network import flatten, network_for, state_dict

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
    rows = []

    def record(key: tuple[str, int, str], images: int | None, recalibrated: bool, scores: dict[int, float]) -> None:
        about = *key, choice.name, choice.draw, "all" if images is None else images
        rows.extend((*about, epoch, recalibrated, score) for epoch, score in scores.items())

    with OpenRun(inputs, choice, job.device) as run:
        loss = read_bins(inputs.bins).requested_loss(outcome)
        as_decoded = run.load_as_decoded()
        method = run.recalibrated(as_decoded)
        scores = Scores(run.images, run.layout, finetuning, job.device)
        judged: dict[tuple, dict[int, float]] = {}  # members may have equal tasks
        seen: set[tuple] = set()  # weights that have a row already

        def score(method: Any, tuned: bool, *request: Any) -> dict[int, float]:
            """Return the accuracies of a method's model for a part, a task and a number of images."""
            part, task, images = request
            if unit == MEMBERS:
                weights = method.sample(task, loss, images, seed=sample_seed(choice.draw, unit, run.member))
                key = (method is as_decoded, *request, None if weights is None else sha256(weights).digest())
                new = key not in seen
                seen.add(key)
                return scores(weights if new else None, task, part, tuned)
            own = run.member if as_decoded.kind == "reference" else None
            key = (method is as_decoded, own, *request)
            if key not in judged:
                weights = method.sample(task, loss, images, seed=choice.draw)
                judged[key] = scores(weights, task, part, tuned)
            return judged[key]

        for part, tasks in held_out_tasks(inputs.held_out).groupby("part", sort=False):
            tuned_of = Counter()  # members by task
            for key in tasks[["part", "member", "task"]].itertuples(index=False, name=None):
                _, run.member, task = key
                # Choices are made between models from all images.
                all_only = part == "validation" or not as_decoded.uses_images
                for images in [None] if all_only else [*counts, None]:
                    trained_on_task = as_decoded.kind == "reference"
                    tuned = images is None and part != "validation" and choice.draw == 0 and not trained_on_task
                    tuned = tuned and tuned_of[task] < (finetuning.members or inf)
                    tuned_of[task] += tuned
                    record(key, images, True, score(method, tuned, part, task, images))
                if method is not as_decoded:
                    record(key, None, False, score(as_decoded, False, part, task, None))
            log.info("%s: tasks of part %s evaluated", choice.name, part)
    write_csv(out, pd.DataFrame(rows, columns=COLUMNS))


def sample_seed(draw: int, unit: str, member: int) -> int:
    """Return the seed of a sample for a held-out member: the draw, or one of its own where members share tasks."""
    return integer_seed(draw, "sample", member) if unit == MEMBERS else draw


class Scores:
    """Evaluates flat weights on tasks, also after fine-tuning."""

    def __init__(self, images: TaskImages, layout: Layout, finetuning: FineTuning, device: str):
        self.images, self.layout, self.finetuning, self.device = images, layout, finetuning, device
        self.runner = Runner(layout, device)
        self._key, self._inputs, self._labels = ("", ""), torch.empty(0), torch.empty(0)

    def __call__(self, weights: np.ndarray | None, task: str, part: str, tuned: bool) -> dict[int, float]:
        """Return accuracies by epochs of fine-tuning, only 0 unless ``tuned``; no accuracy without weights."""
        if weights is None:
            return {}
        key = task, "validation" if part == "validation" else "test"
        if key != self._key:  # caches one task, since callers take one task after another
            images, self._labels = self.images.of_task(task, part=key[1])
            self._key, self._inputs = key, normalised(images, self.layout.normalisation)
        models = {0: weights}
        if tuned and self.finetuning.epochs:
            models |= fine_tuned(weights, task, self.images, self.layout, self.finetuning, self.device)
        return {
            epoch: accuracy(self.runner.logits(vector, self._inputs), self._labels) for epoch, vector in models.items()
        }


def fine_tuned(
    weights: np.ndarray, task: str, images: TaskImages, layout: Layout, settings: FineTuning, device: str = "cpu"
) -> dict[int, np.ndarray]:
    """Train flat weights (n_weights,) on all training images of a task; return them after each of ``settings.epochs``.

    The seed of the batches depends on the task only, so that all methods see the same batches.

    Args:
        weights: before fine-tuning.
        task: see ``join_task``.
        images: of all classes.
        layout: of the weights.
        settings: epochs and recipe.
        device: ``cpu`` or ``cuda``.
    """
    network = network_for(layout).to(device)
    network.load_state_dict(state_dict(weights, layout))
    torch.manual_seed(integer_seed(0, "fine-tuning", task))
    network.architecture.for_training(network)
    optimizer = make_optimizer(network, settings.optimizer, settings.learning_rate, 0.0, 0.9)
    data = tuple(tensor.to(device) for tensor in images.of_task(task))
    tuned = {}
    for epoch in range(1, max(settings.epochs) + 1):
        train_epoch(network, optimizer, data, settings.batch_size, settings.augment)
        if epoch in settings.epochs:
            tuned[epoch] = flatten(network.architecture.snapshot(network), layout)[0]
    return tuned
