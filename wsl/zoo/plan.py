"""The plan: each member's task and hyper-parameters, a pure function of the seed and the member's index."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, combinations
from math import comb, inf
from typing import Any

import numpy as np

from wsl.errors import ConfigError
from wsl.files.plain import write_csv, write_json
from wsl.images.reading import join_task
from wsl.randomness import assigned_part, integer_seed, stream
from wsl.settings.distributions import Distribution

Distributions = dict[str, Distribution]
GAPS = 20  # factor: with this many more sets than one pool needs, no part of several pools is without sets
# What plans and indices say of a member besides its hyper-parameters.
NO_HYPERPARAMETERS = {"member", "part", "classes", "task", "seed", "batch_seed", "digest", "diverged"}
UNSEEN_FROM = 1_000_000  # first number of unseen members, beyond those of all others


def hyper_parameters(columns: Iterable[str]) -> list[str]:
    """Return the columns of a plan, or of a table of members, that are hyper-parameters."""
    return [column for column in columns if column not in NO_HYPERPARAMETERS]


def class_set_rank(classes: tuple[int, ...]) -> int:
    """Return the position of a set of class indices in colexicographic order (the combinatorial number system)."""
    return sum(comb(index, place + 1) for place, index in enumerate(sorted(classes)))


def _pools(classes: Sequence[str], size: int, group: Callable[[str], str] | None) -> list[np.ndarray]:
    """Return the places of the classes that tasks are drawn from together; pools without a whole task are left out."""
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(classes):
        groups.setdefault(group(name) if group else "", []).append(place)
    return [np.array(places) for places in groups.values() if len(places) >= size]


def _task_draws(
    seed: int,
    classes: Sequence[str],
    size: int,
    available: float,
    pools: Sequence[np.ndarray],
    owns: Callable = lambda task: True,
) -> Callable[[int], list[str]]:
    """Return a function that draws the task of a member: class names in the order of its head.

    The classes of a task are of one of ``pools``, see ``_pools``, each pool equally often.

    Call it for the members of one part, in their order. They get distinct *sets* of classes until all ``available``
    sets of the part, for which ``owns`` is true, are used; then every set may be drawn again. Two orders of one set
    count as one task when generalisation is measured, so repeats add members but no evidence. A member's task depends
    on the seed, its index and earlier members of its part, never on later ones.
    """
    used: set[int] = set()

    def draw(member: int) -> list[str]:
        if len(used) >= available:
            used.clear()
        rng = stream(seed, "member", member, "task")
        while True:
            pool = pools[rng.integers(len(pools))] if len(pools) > 1 else pools[0]
            task = tuple(pool[rng.choice(len(pool), size, replace=False)].tolist())
            rank = class_set_rank(task)
            if rank not in used and owns(task):
                used.add(rank)
                return [classes[index] for index in task]

    return draw


def _sets_per_part(
    seed: int, pools: Sequence[np.ndarray], size: int, members: int, shares: dict[str, int]
) -> dict[str, float]:
    """Return the number of sets of classes of each part; infinite where no part can run out."""
    # Sets are assigned to parts in blocks, by the same shares as members: with a whole block of sets, and two sets per
    # member, each part has at least as many sets as members. The sets of several pools leave gaps in the blocks.
    enough = max(2 * members, sum(shares.values())) * (1 if len(pools) == 1 else GAPS)
    if sum(comb(len(pool), size) for pool in pools) > enough:
        return dict.fromkeys(shares, inf)
    sets = chain.from_iterable(combinations(pool.tolist(), size) for pool in pools)
    counts = Counter(assigned_part(seed, "tasks", class_set_rank(classes), shares) for classes in sets)
    return {part: counts[part] for part in shares}


def plan_members(
    seed: int,
    classes: list[str],
    members: int,
    classes_per_task: int,
    shares: dict[str, int],
    distributions: Distributions,
    learning_rates: Distributions,
    group: Callable[[str], str] | None = None,
) -> list[dict[str, Any]]:
    """Return the plan: one dict per member.

    Its keys are ``member`` (index), ``part``, ``classes`` (names, ordered), ``seed``, ``learning_rate`` and those of
    ``distributions``. No two parts share a set of classes, and members of one part get distinct sets as long as there
    are enough. Member i is the same in every size of zoo.

    Args:
        seed: of the run.
        classes: names; their order matters.
        shares: shares of members in train, validation and test.
        distributions: of ``optimizer``, ``batch_size``, ``weight_decay``, ``early_epoch``, ``max_epoch``.
        learning_rates: one distribution per optimiser.
        group: returns the source of a class: then the classes of a task are of one source.

    Raises:
        ConfigError: a part would be empty, or would not have a task of its own.
    """
    parts = member_parts(seed, members, shares)
    pools = _pools(classes, classes_per_task, group)
    available = _sets_per_part(seed, pools, classes_per_task, members, shares)
    if not all(available.values()):
        raise ConfigError(
            f"zoo.classes_per_task: {classes_per_task} of {len(classes)} classes make too few tasks to give each part "
            "tasks of its own; use more classes"
        )

    def owns(part: str, task: tuple[int, ...]) -> bool:
        # Each set of classes belongs to one part, so a held-out task is never a reordered training task.
        return assigned_part(seed, "tasks", class_set_rank(task), shares) == part

    draws = {
        part: _task_draws(seed, classes, classes_per_task, count, pools, partial(owns, part))
        for part, count in available.items()
    }
    return [
        member_row(seed, index, part, draws[part](index), distributions, learning_rates)
        for index, part in enumerate(parts)
    ]


def member_parts(seed: int, members: int, shares: dict[str, int]) -> list[str]:
    """Return the part of each member.

    Raises:
        ConfigError: a part would be empty.
    """
    parts = [assigned_part(seed, "members", index, shares) for index in range(members)]
    missing = [part for part in shares if part not in parts]
    if missing:
        raise ConfigError(
            f"zoo.parts: {members} members leave the {missing[0]} part empty; raise zoo.members or that part's share"
        )
    return parts


def first_training(plan: list[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    """Return a plan without training members after the first ``count``; None: the whole plan.

    Raises:
        ConfigError: there are fewer training members.
    """
    training = [row["member"] for row in plan if row["part"] == "train"]
    if count is None:
        return plan
    if count > len(training):
        raise ConfigError(f"zoo.training: {count} training members, but there are {len(training)}; lower it")
    dropped = set(training[count:])
    return [row for row in plan if row["member"] not in dropped]


def plan_unseen(
    seed: int,
    classes: list[str],
    members: int,
    classes_per_task: int,
    distributions: Distributions,
    learning_rates: Distributions,
    group: Callable[[str], str] | None = None,
) -> list[dict[str, Any]]:
    """Return the plan of members on tasks of unseen classes, numbered from ``UNSEEN_FROM``; see ``plan_members``."""
    pools = _pools(classes, classes_per_task, group)
    if not pools:
        raise ConfigError(
            f"zoo.unseen.classes: no source has {classes_per_task} unseen classes for a task; name more of one source"
        )
    sets = sum(comb(len(pool), classes_per_task) for pool in pools)
    draw = _task_draws(seed, classes, classes_per_task, sets, pools)
    indices = range(UNSEEN_FROM, UNSEEN_FROM + members)
    return [member_row(seed, index, "unseen", draw(index), distributions, learning_rates) for index in indices]


def member_row(
    seed: int, index: int, part: str, classes: list[str], distributions: Distributions, learning_rates: Distributions
) -> dict[str, Any]:
    """Return a member's row of the plan, see ``plan_members``."""

    def draw(key: str, distribution: Distribution) -> Any:
        # Creating a random stream takes longer than everything else for a member.
        choices = getattr(distribution, "choice", ())
        return choices[0] if len(choices) == 1 else distribution.sample(stream(seed, "member", index, key))

    values = {key: draw(key, distribution) for key, distribution in distributions.items()}
    rate = float(draw("learning_rate", learning_rates[values["optimizer"]]))
    task = {"member": index, "part": part, "classes": classes}
    return {**task, "seed": integer_seed(seed, "member", index, "training"), "learning_rate": rate, **values}


def write_plan(plan: list[dict[str, Any]], out: str, description: str, about: dict[str, Any]) -> None:
    """Write the plan as a CSV file for readers; jobs get their rows as parameters.

    Args:
        plan: one dict per member.
        out: CSV.
        description: JSON, see ``wsl.zoo.borrowed``.
        about: its content besides the plan.
    """
    import pandas as pd

    write_json(description, {**about, "plan": plan})
    write_csv(out, pd.DataFrame([{**row, "classes": join_task(row["classes"])} for row in plan]))
