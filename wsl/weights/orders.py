"""The class-order symmetry: the classes of a task and the rows of the head may be reordered together."""

from itertools import islice, permutations
from math import factorial

import numpy as np

from wsl.images.reading import join_task, task_classes
from wsl.randomness import stream
from wsl.zoo.layout import Layout


def class_orders(classes: int, count: int, seed: int) -> list[tuple[int, ...]]:
    """Return up to ``count`` of the C! orders of C classes: first 0 to C - 1, then others drawn without replacement."""
    first = tuple(range(classes))
    if count >= factorial(classes):
        return list(permutations(first))
    if factorial(classes) <= 10_000:
        others = list(islice(permutations(first), 1, None))
        chosen = stream(seed, "orders").permutation(len(others))[: count - 1]
        return [first, *(others[i] for i in chosen)]
    orders = {first: None}
    rng = stream(seed, "orders")
    while len(orders) < count:
        orders[tuple(rng.permutation(classes).tolist())] = None
    return list(orders)


def reorder_head(values: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """Return a head parameter's values (n, classes * d) reordered: its row i is the old row ``order[i]``."""
    rows = values.reshape(len(values), len(order), -1)
    return rows[:, list(order)].reshape(values.shape)


def reorder_weights(weights: np.ndarray, layout: Layout, order: tuple[int, ...]) -> np.ndarray:
    """Return a copy of flat weights (n_weights,) whose head is reordered, see ``reorder_head``."""
    reordered = weights.copy()
    for name in layout.head:
        columns = layout[name].columns
        reordered[columns] = reorder_head(weights[None, columns], order)[0]
    return reordered


def reorder_task(task: str, order: tuple[int, ...]) -> str:
    """Return a task, as in tables, with its classes in the order of ``reorder_head``'s rows."""
    classes = task_classes(task)
    return join_task([classes[place] for place in order])
