"""Null arms: a sampler is asked for another dataset or other outcomes than its models are evaluated for.

What a sampler reaches above the arm without D or R comes from D or R. No arm trains anything. An arm is one entry
of ``ARMS``: from the held-out tasks, a row of them and its requests to the question that the sampler is asked.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from wsl.evaluation.settings import NULL_REQUESTS
from wsl.images.reading import task_classes
from wsl.randomness import stream

ASKED = "asked"  # the arm that asks for what is evaluated


class Question(NamedTuple):
    """What a sampler is asked for.

    Attributes:
        task: whose dataset D is given.
        losses: validation losses (n,), nats; each model is compared with the request in its place.
    """

    task: str
    losses: np.ndarray


Arm = Callable[[pd.DataFrame, int, np.ndarray], Question | None]
ARMS: dict[str, Arm] = {}


def arm(name: str) -> Callable[[Arm], Arm]:
    """Return a decorator that adds an arm.

    An arm gets the held-out tasks (``part``, ``member``, ``task``), a row of them, and the losses (n,) that models
    for it are compared with. It returns None for a row without such a question.
    """

    def add(entry: Arm) -> Arm:
        ARMS[name] = entry
        return entry

    return add


@arm(ASKED)
def asked(tasks: pd.DataFrame, row: int, losses: np.ndarray) -> Question:
    """Return the task and the losses themselves."""
    return Question(tasks["task"].iloc[row], losses)


@arm("d-shuffled")
def d_shuffled(tasks: pd.DataFrame, row: int, losses: np.ndarray) -> Question | None:
    """Return the dataset of another held-out task; None if all have the same classes."""
    other = other_task(tasks, row)
    return None if other is None else Question(other, losses)


@arm("r-shuffled")
def r_shuffled(tasks: pd.DataFrame, row: int, losses: np.ndarray) -> Question:
    """Return the losses in a random order, which is that member's for all samplers and draws."""
    part, member, task = tasks[["part", "member", "task"]].iloc[row]
    order = stream(0, "r-shuffled", part, int(member)).permutation(len(losses))
    return Question(task, losses[order])


@arm("r-ignored")
def r_ignored(tasks: pd.DataFrame, row: int, losses: np.ndarray) -> Question:
    """Return the median loss for all requests."""
    return Question(tasks["task"].iloc[row], np.full(len(losses), np.median(losses)))


def other_task(tasks: pd.DataFrame, row: int) -> str | None:
    """Return a held-out task of other classes than those of a row, or None.

    It shares as few classes as possible with the row's task, since shared classes are not unknown to a sampler; of
    these, it is one of the same part if there is any. Rows take different ones: the next in the order of the table.
    """
    part, task = tasks[["part", "task"]].iloc[row]
    distinct = tasks[["part", "task"]].drop_duplicates()
    own, ranked = set(task_classes(task)), {}
    for other in distinct.itertuples(index=False):
        shared = len(own.intersection(task_classes(other.task)))
        if shared < len(own):
            ranked.setdefault((shared, other.part != part), []).append(other.task)
    if not ranked:
        return None
    candidates = ranked[min(ranked)]
    place = distinct.loc[distinct["part"] == part, "task"].tolist().index(task)
    repeat = int(((tasks["part"] == part) & (tasks["task"] == task)).iloc[:row].sum())
    return candidates[(place + repeat) % len(candidates)]


def numbers_of(name: str, count: int) -> np.ndarray:
    """Return which of ``count`` requests an arm asks for: all, or for null arms a few.

    They are the middles of as many equal parts: their mean and nearly their spread are those of all, so that R² of all
    arms are comparable. The ends of the range among them would give them a larger spread.
    """
    few = count if name == ASKED else min(count, NULL_REQUESTS)
    return np.rint((np.arange(few) + 0.5) * count / few - 0.5).astype(int)


class AskedFor:
    """A method that gets the dataset of one task for all tasks."""

    def __init__(self, method: Any, task: str):
        self.method, self.task, self.recalibrate = method, task, method.recalibrate

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return flat weights (n_weights,), see ``Method.sample``."""
        return self.method.sample(self.task, loss, images, seed)
