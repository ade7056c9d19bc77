"""The protocol: accuracy of samplers and baselines on held-out tasks, by images looked at and epochs of tuning."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from wsl.evaluation.kinds import REFERENCES
from wsl.evaluation.methods import RECALIBRATED, WITHOUT_IMAGES, Methods
from wsl.evaluation.outputs import Runner, accuracy
from wsl.evaluation.validation import held_out_tasks
from wsl.files import write_csv
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.outcomes.bins import read_bins
from wsl.randomness import integer_seed
from wsl.zoo.epochs import make_optimizer, train_epoch
from wsl.zoo.layout import Layout
from wsl.zoo.network import flatten, network_for, state_dict

log = logging.getLogger(__name__)


def judge(
    method: str,
    draw: int,
    held_out: Sequence[str | Path],
    out: str | Path,
    outcome: str | float,
    counts: Sequence[int],
    finetune: dict[str, Any],
    start: str | Path | None = None,
    device: str = "cpu",
    threads: int = 1,
    **files: Any,
) -> None:
    """Write the accuracy of one sampler's or baseline's models on every held-out task.

    Args:
        method: see ``wsl.evaluation.methods``.
        draw: which fit of a learned sampler this is; the first is also fine-tuned, except for references, which
            have been trained on the task already.
        held_out: indices named after their parts, ``validation`` among them.
        out: CSV with ``part``, ``member``, ``task``, ``method``, ``draw``, ``images`` (a class, or ``all``),
            ``epochs``, ``recalibrated`` (False: with batch-normalisation statistics as decoded), ``accuracy``.
            Tasks of the part ``validation`` are judged on *validation* images, and may steer choices; all others
            on *test* images.
        outcome: what is requested of samplers: a validation loss (nats), or ``best``.
        counts: images a class that may be looked at; all of them always count too.
        finetune: ``epochs`` (a list) and the recipe, see ``fine_tuned``.
        start: what members start from, where they share it.
        device: ``cpu`` or ``cuda``; threads: CPU threads.
        files: see ``wsl.sampling.makers.Makers``; those that a method does not need may be left out.
    """
    torch.set_num_threads(threads)
    rows = []

    def note(part: str, member: int, task: str, images: int | None, scores: dict[int, float], whole: bool) -> None:
        own = {"part": part, "member": member, "task": task, "method": method, "draw": draw, "recalibrated": whole}
        shown = "all" if images is None else images
        rows.extend({**own, "images": shown, "epochs": epoch, "accuracy": score} for epoch, score in scores.items())

    with Methods(held_out, start, device=device, **files) as methods:
        loss = read_bins(methods.bins).requested_loss(outcome)
        recalibrated = methods.recalibration is not None and method in RECALIBRATED
        maker = methods.load(method)
        as_decoded = methods.load(method, recalibrate=False) if recalibrated else None
        scores = Scores(methods.images, methods.layout, finetune, device)
        for part, tasks in held_out_tasks(held_out).groupby("part", sort=False):
            for member, task in tasks[["member", "task"]].itertuples(index=False):
                # Choices are made with all images at hand.
                for images in [None] if method in WITHOUT_IMAGES or part == "validation" else [*counts, None]:
                    tuned = images is None and part != "validation" and draw == 0 and method not in REFERENCES
                    weights = maker.make(task, loss, images, seed=draw)
                    note(part, member, task, images, scores(weights, task, part, tuned), True)
                if as_decoded:
                    weights = as_decoded.make(task, loss, None, seed=draw)
                    note(part, member, task, None, scores(weights, task, part, False), False)
            log.info("%s: the tasks of part %s are judged", method, part)
    columns = ["part", "member", "task", "method", "draw", "images", "epochs", "recalibrated", "accuracy"]
    write_csv(out, pd.DataFrame(rows, columns=columns))


class Scores:
    """Accuracies of models on tasks.

    Args:
        images: of all classes; layout: of flat weights.
        finetune: see ``fine_tuned``.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, images: TaskImages, layout: Layout, finetune: dict[str, Any], device: str):
        self.images, self.layout, self.finetune, self.device = images, layout, finetune, device
        self.runner = Runner(layout, device)
        self._judged, self._inputs, self._labels = ("", ""), torch.empty(0), torch.empty(0)

    def __call__(self, weights: np.ndarray | None, task: str, part: str, tuned: bool) -> dict[int, float]:
        """Return accuracies by epochs of fine-tuning, 0 alone unless ``tuned``; none for no weights."""
        if weights is None:
            return {}
        judged = task, "validation" if part == "validation" else "test"
        if judged != self._judged:  # one at a time, since callers take task after task
            images, self._labels = self.images.of_task(task, part=judged[1])
            self._judged, self._inputs = judged, normalised(images)
        models = {0: weights}
        if tuned and self.finetune["epochs"]:
            models |= fine_tuned(weights, task, self.images, self.layout, **self.finetune, device=self.device)
        return {
            epoch: accuracy(self.runner.logits(vector, self._inputs), self._labels) for epoch, vector in models.items()
        }


def fine_tuned(
    weights: np.ndarray,
    task: str,
    images: TaskImages,
    layout: Layout,
    epochs: Sequence[int],
    optimizer: str,
    learning_rate: float,
    batch_size: int,
    augment: bool,
    device: str = "cpu",
) -> dict[int, np.ndarray]:
    """Train flat weights on all of a task's training images and return them after each of ``epochs``.

    Batches come from a seed of the task's own, so that all methods see the same.
    """
    network = network_for(layout).to(device)
    network.load_state_dict(state_dict(weights, layout))
    steps = make_optimizer(network, optimizer, learning_rate, 0.0, 0.9)
    data = tuple(tensor.to(device) for tensor in images.of_task(task))
    torch.manual_seed(integer_seed(0, "fine-tuning", task))
    found = {}
    for epoch in range(1, max(epochs) + 1):
        train_epoch(network, steps, data, batch_size, augment)
        if epoch in epochs:
            found[epoch] = flatten(network.state_dict(), layout)[0]
    return found
