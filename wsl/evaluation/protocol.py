"""The protocol: accuracy of samplers and baselines on held-out tasks, by number of images and epochs of fine-tuning."""

import logging
from pathlib import Path

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
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write the accuracy of one method's models on every held-out task.

    Args:
        inputs: the method's files, and indices of held-out members named after their parts, ``validation`` among them.
        out: CSV with ``part``, ``member``, ``task``, ``method``, ``draw``, ``images`` (per class, or ``all``),
            ``epochs``, ``recalibrated`` (False: with batch-normalisation statistics as decoded), ``accuracy``.
            Tasks of the part ``validation`` are judged on *validation* images and may be used for choices; all others
            on *test* images.
        choice: the method. The first draw is also fine-tuned, except for references, which are already trained on the
            task.
        outcome: requested validation loss (nats), or ``best``.
        counts: images per class that may be used; models from all of them are always judged.
        finetuning: epochs after which models are judged, and the recipe.
        job: seeds are the draws.
    """
    torch.set_num_threads(job.threads)
    rows = []

    def note(part: str, member: int, task: str, images: int | None, scores: dict[int, float], whole: bool) -> None:
        about = part, member, task, choice.name, choice.draw, "all" if images is None else images
        rows.extend((*about, epoch, whole, score) for epoch, score in scores.items())

    with OpenRun(inputs, choice, job.device) as run:
        loss = read_bins(inputs.bins).requested_loss(outcome)
        as_decoded = run.load_as_decoded()
        method = run.recalibrated(as_decoded)
        scores = Scores(run.images, run.layout, finetuning, job.device)
        for part, tasks in held_out_tasks(inputs.held_out).groupby("part", sort=False):
            for member, task in tasks[["member", "task"]].itertuples(index=False):
                # Choices are made between models from all images.
                all_only = part == "validation" or not as_decoded.uses_images
                for images in [None] if all_only else [*counts, None]:
                    trained_on_task = as_decoded.kind == "reference"
                    tuned = images is None and part != "validation" and choice.draw == 0 and not trained_on_task
                    weights = method.sample(task, loss, images, seed=choice.draw)
                    note(part, member, task, images, scores(weights, task, part, tuned), True)
                if method is not as_decoded:
                    weights = as_decoded.sample(task, loss, None, seed=choice.draw)
                    note(part, member, task, None, scores(weights, task, part, False), False)
            log.info("%s: the tasks of part %s are judged", choice.name, part)
    write_csv(out, pd.DataFrame(rows, columns=COLUMNS))


class Scores:
    """Accuracies of models on tasks.

    Args:
        images: of all classes.
        layout: of flat weights.
        finetuning: see ``fine_tuned``.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, images: TaskImages, layout: Layout, finetuning: FineTuning, device: str):
        self.images, self.layout, self.finetuning, self.device = images, layout, finetuning, device
        self.runner = Runner(layout, device)
        self._judged, self._inputs, self._labels = ("", ""), torch.empty(0), torch.empty(0)

    def __call__(self, weights: np.ndarray | None, task: str, part: str, tuned: bool) -> dict[int, float]:
        """Return accuracies by epochs of fine-tuning, only 0 unless ``tuned``; none where there are no weights."""
        if weights is None:
            return {}
        judged = task, "validation" if part == "validation" else "test"
        if judged != self._judged:  # only the last, since callers go through one task after another
            images, self._labels = self.images.of_task(task, part=judged[1])
            self._judged, self._inputs = judged, normalised(images)
        models = {0: weights}
        if tuned and self.finetuning.epochs:
            models |= fine_tuned(weights, task, self.images, self.layout, self.finetuning, self.device)
        return {
            epoch: accuracy(self.runner.logits(vector, self._inputs), self._labels) for epoch, vector in models.items()
        }


def fine_tuned(
    weights: np.ndarray, task: str, images: TaskImages, layout: Layout, settings: FineTuning, device: str = "cpu"
) -> dict[int, np.ndarray]:
    """Train flat weights on all training images of a task and return them after each of ``settings.epochs``.

    The seed of the batches depends on the task only, so that all methods see the same batches.

    Args:
        weights: flat (n_weights,).
        task: see ``join_task``.
        images: of all classes.
        layout: of the weights.
        settings: epochs and recipe.
        device: ``cpu`` or ``cuda``.
    """
    network = network_for(layout).to(device)
    network.load_state_dict(state_dict(weights, layout))
    steps = make_optimizer(network, settings.optimizer, settings.learning_rate, 0.0, 0.9)
    data = tuple(tensor.to(device) for tensor in images.of_task(task))
    torch.manual_seed(integer_seed(0, "fine-tuning", task))
    tuned = {}
    for epoch in range(1, max(settings.epochs) + 1):
        train_epoch(network, steps, data, settings.batch_size, settings.augment)
        if epoch in settings.epochs:
            tuned[epoch] = flatten(network.state_dict(), layout)[0]
    return tuned
