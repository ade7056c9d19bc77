"""The protocol: accuracy on held-out tasks, by images looked at and epochs of fine-tuning, for samplers and rivals."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from wsl.evaluation.methods import RECALIBRATED, WITHOUT_IMAGES, Methods
from wsl.evaluation.outputs import Runner, accuracy
from wsl.files import write_csv
from wsl.images.inputs import normalised
from wsl.outcomes.bins import read_bins
from wsl.randomness import integer_seed
from wsl.sampling.making import TaskImages
from wsl.zoo.epochs import make_optimizer, train_epoch
from wsl.zoo.index import open_zoo
from wsl.zoo.layout import Layout
from wsl.zoo.network import flatten, resnet18, state_dict

log = logging.getLogger(__name__)


def judge(
    method: str,
    draw: int,
    train_index: str | Path,
    held_out: Sequence[str | Path],
    class_means: Sequence[str | Path],
    packed: Sequence[str | Path],
    bins: str | Path,
    out: str | Path,
    known: Sequence[str],
    outcome: str | float,
    counts: Sequence[int],
    finetune: dict[str, Any],
    recalibrate: bool,
    strength: float,
    settings: dict[str, Any],
    fitted: Sequence[str | Path] = (),
    autoencoder: str | Path | None = None,
    start: str | Path | None = None,
    device: str = "cpu",
    threads: int = 1,
    **samplers: Any,
) -> None:
    """Write the accuracy of one sampler's or rival's models on every held-out task.

    Args:
        method: see ``wsl.evaluation.methods``.
        draw: which fit of a learned sampler this is; the first is also fine-tuned.
        train_index: of training members; held_out: indices named after their parts, ``validation`` among them.
        class_means, packed: a file a class; bins: outcome bins.
        out: CSV with ``part``, ``member``, ``task``, ``method``, ``draw``, ``images`` (a class, or ``all``),
            ``epochs``, ``recalibrated`` (False: with batch-normalisation statistics as decoded), ``accuracy``.
            Tasks of the part ``validation`` are judged on *validation* images, and may steer choices; all others
            on *test* images.
        known: names of the classes that the zoo saw.
        outcome: what is requested of samplers: a validation loss (nats), or ``best``.
        counts: images a class that may be looked at; all of them always count too.
        finetune: ``epochs`` (a list) and the recipe, see ``fine_tuned``.
        recalibrate, strength, settings, fitted, autoencoder, start, samplers: see ``Methods``; files that a method does
            not need may be left out.
        device: ``cpu`` or ``cuda``; threads: CPU threads.
    """
    torch.set_num_threads(threads)
    loss = read_bins(bins).requested_loss(outcome)
    codec = {"train_index": train_index, "fitted": fitted, "autoencoder": autoencoder}
    run = {"class_means": class_means, "packed": packed, "bins": bins, "known": known}
    options = {"recalibrate": recalibrate, "strength": strength, "settings": settings, "samplers": samplers}
    rows = []

    def note(part: str, member: int, task: str, images: int | None, scores: dict[int, float], whole: bool) -> None:
        own = {"part": part, "member": member, "task": task, "method": method, "draw": draw, "recalibrated": whole}
        shown = "all" if images is None else images
        rows.extend({**own, "images": shown, "epochs": epoch, "accuracy": score} for epoch, score in scores.items())

    with Methods(held_out, start, **codec, **run, **options, device=device) as methods:
        maker = methods.load(method)
        as_decoded = methods.load(method, recalibrate=False) if recalibrate and method in RECALIBRATED else None
        for path in held_out:
            part = Path(path).stem
            for member, task in _tasks(path):
                # Choices are made with all images at hand.
                for images in [None] if method in WITHOUT_IMAGES or part == "validation" else [*counts, None]:
                    epochs = finetune["epochs"] if images is None and part != "validation" and draw == 0 else []
                    weights = maker.make(task, loss, images, seed=draw)
                    note(part, member, task, images, _scores(weights, methods, task, part, epochs, finetune), True)
                if as_decoded:
                    weights = as_decoded.make(task, loss, None, seed=draw)
                    note(part, member, task, None, _scores(weights, methods, task, part, [], finetune), False)
            log.info("%s: the tasks of part %s are judged", method, part)
    columns = ["part", "member", "task", "method", "draw", "images", "epochs", "recalibrated", "accuracy"]
    write_csv(out, pd.DataFrame(rows, columns=columns))


def _tasks(path: str | Path) -> list[tuple[int, str]]:
    with open_zoo(path) as zoo:
        return list(zip(zoo.members["member"].tolist(), zoo.members["task"].tolist(), strict=True))


def _scores(
    weights: np.ndarray | None, methods: Methods, task: str, part: str, epochs: Sequence[int], finetune: dict[str, Any]
) -> dict[int, float]:
    """Return accuracies by epochs of fine-tuning; none where the method gives no model."""
    if weights is None:
        return {}
    runner = Runner(methods.layout, methods.device)
    images, labels = methods.images.of_task(task, part="validation" if part == "validation" else "test")
    inputs = normalised(images)
    tuned = {0: weights}
    if epochs:
        tuned |= fine_tuned(weights, task, methods.images, methods.layout, **finetune, device=methods.device)
    return {epoch: accuracy(runner.logits(vector, inputs), labels) for epoch, vector in tuned.items()}


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
    classes, features = layout["fc.weight"].shape
    network = resnet18(features // 8, classes).to(device)
    counters = np.zeros(len(layout.counters), dtype=np.int64)
    network.load_state_dict(state_dict(weights, counters, layout))
    steps = make_optimizer(network, optimizer, learning_rate, 0.0, 0.9)
    seen, labels = (tensor.to(device) for tensor in images.of_task(task))
    torch.manual_seed(integer_seed(0, "fine-tuning", task))
    found = {}
    for epoch in range(1, max(epochs) + 1):
        train_epoch(network, steps, seen, labels, batch_size, augment)
        if epoch in epochs:
            found[epoch] = flatten(network.state_dict(), layout)[0]
    return found
