"""The plan: each member's task and hyper-parameters, a pure function of (seed, index)."""

from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Any

from wsl.distributions import Distribution
from wsl.errors import ConfigError
from wsl.files import write_csv
from wsl.images.reading import join_task
from wsl.randomness import integer_seed, part_of, stream

ENUMERABLE = 100_000
UNSEEN_FROM = 1_000_000  # apart from all other members, so that neither zoo renumbers the other


def class_set_rank(classes: tuple[int, ...]) -> int:
    """Return the place of a set of class indices in the combinatorial number system (colexicographic order)."""
    return sum(comb(index, place + 1) for place, index in enumerate(sorted(classes)))


def draw_task(seed: int, member: int, part: str, n_classes: int, size: int, shares: dict[str, int]) -> tuple[int, ...]:
    """Draw an ordered task of ``size`` distinct classes for a member of ``part``.

    A *set* of classes belongs to one part as members do, so that a task of a test member is never one that a
    training member saw in another order.
    """
    rng = stream(seed, "member", member, "task")
    while True:
        classes = tuple(rng.choice(n_classes, size, replace=False).tolist())
        if part_of(seed, "tasks", class_set_rank(classes), shares) == part:
            return classes


@lru_cache(maxsize=8)
def _parts_with_a_task(seed: int, n_classes: int, size: int, shares: tuple[tuple[str, int], ...]) -> set[str]:
    if comb(n_classes, size) > ENUMERABLE:
        return {part for part, _ in shares}
    sets = combinations(range(n_classes), size)
    return {part_of(seed, "tasks", class_set_rank(classes), dict(shares)) for classes in sets}


def plan_members(
    seed: int,
    classes: list[str],
    members: int,
    classes_per_task: int,
    shares: dict[str, int],
    distributions: dict[str, Distribution],
    learning_rates: dict[str, Distribution],
) -> list[dict[str, Any]]:
    """Plan every member.

    Args:
        seed: the run's seed.
        classes: names of the classes that tasks are made of; their order matters.
        members: how many.
        classes_per_task: classes of a task.
        shares: shares of members in train, validation and test.
        distributions: of ``optimizer``, ``batch_size``, ``weight_decay``, ``early_epoch``, ``max_epoch``.
        learning_rates: one distribution an optimiser.

    Returns:
        One dict a member: ``member`` (index), ``part``, ``classes`` (names, ordered), ``seed``,
        ``learning_rate`` and one value a distribution. Member i is the same in every size of zoo.

    Raises:
        ConfigError: a part would have no member or no task of its own.
    """
    parts = [part_of(seed, "members", index, shares) for index in range(members)]
    missing = [part for part in shares if part not in parts]
    if missing:
        raise ConfigError(
            f"zoo.parts: {members} members leave the {missing[0]} part empty; raise zoo.members or that part's share"
        )
    possible = _parts_with_a_task(seed, len(classes), classes_per_task, tuple(shares.items()))
    if set(shares) - possible:
        raise ConfigError(
            f"zoo.classes_per_task: {classes_per_task} of {len(classes)} classes make too few tasks to give each part "
            "tasks of its own; use more classes"
        )
    plan = []
    for index, part in enumerate(parts):
        task = draw_task(seed, index, part, len(classes), classes_per_task, shares)
        row = {"member": index, "part": part, "classes": [classes[i] for i in task]}
        plan.append(row | _hyperparameters(seed, index, distributions, learning_rates))
    return plan


def first_training(plan: list[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    """Return a plan without training members after the first ``count``; None: as it is.

    Raises:
        ConfigError: there are fewer.
    """
    training = [row["member"] for row in plan if row["part"] == "train"]
    if count is None:
        return plan
    if count > len(training):
        raise ConfigError(f"zoo.training: {count} training members, but there are {len(training)}; raise zoo.members")
    dropped = set(training[count:])
    return [row for row in plan if row["member"] not in dropped]


def plan_unseen(
    seed: int,
    classes: list[str],
    members: int,
    classes_per_task: int,
    distributions: dict[str, Distribution],
    learning_rates: dict[str, Distribution],
) -> list[dict[str, Any]]:
    """Plan members on tasks of unseen classes, in the part ``unseen``, numbered from ``UNSEEN_FROM``.

    Args and rows as in ``plan_members``. As long as there are sets of classes enough, no two members share one.
    """
    plan, seen = [], set()
    for index in range(UNSEEN_FROM, UNSEEN_FROM + members):
        rng = stream(seed, "member", index, "task")
        while True:
            task = tuple(rng.choice(len(classes), classes_per_task, replace=False).tolist())
            if frozenset(task) not in seen or len(seen) == comb(len(classes), classes_per_task):
                break
        seen.add(frozenset(task))
        row = {"member": index, "part": "unseen", "classes": [classes[i] for i in task]}
        plan.append(row | _hyperparameters(seed, index, distributions, learning_rates))
    return plan


def _hyperparameters(
    seed: int, index: int, distributions: dict[str, Distribution], learning_rates: dict[str, Distribution]
) -> dict[str, Any]:
    def draw(key: str, distribution: Distribution) -> Any:
        # To make a stream takes longer than all else that is done for a member.
        choices = getattr(distribution, "choice", ())
        return choices[0] if len(choices) == 1 else distribution.sample(stream(seed, "member", index, key))

    values = {key: draw(key, distribution) for key, distribution in distributions.items()}
    rate = draw("learning_rate", learning_rates[values["optimizer"]])
    return {
        "seed": integer_seed(seed, "member", index, "training"),
        "learning_rate": float(rate),
        **values,
    }


def write_plan(plan: list[dict[str, Any]], out: str) -> None:
    """Write the plan as a table for people; jobs get their own rows as parameters."""
    import pandas as pd

    write_csv(out, pd.DataFrame([{**row, "classes": join_task(row["classes"])} for row in plan]))
