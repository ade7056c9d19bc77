"""The plan: each member's task and hyper-parameters, a pure function of (seed, index)."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb, inf
from typing import Any

from wsl.errors import ConfigError
from wsl.files.plain import write_csv
from wsl.images.reading import join_task
from wsl.randomness import assigned_part, integer_seed, stream
from wsl.settings.distributions import Distribution

UNSEEN_FROM = 1_000_000  # first number of unseen members, beyond those of all others


def class_set_rank(classes: tuple[int, ...]) -> int:
    """Return the place of a set of class indices in the combinatorial number system (colexicographic order)."""
    return sum(comb(index, place + 1) for place, index in enumerate(sorted(classes)))


class TaskDraws:
    """Draws the tasks of one part's members, in the order of the members.

    Members get distinct *sets* of classes until all sets of the part are used; then every set may be drawn again. Two
    orders of one set count as one task when generalisation is measured, so repeats add members but no evidence. A
    member's task depends on the seed, its index and earlier members of its part, never on later ones.

    Args:
        seed: of the run.
        classes: names of the classes that tasks are made of; their order matters.
        size: classes per task.
        available: number of sets that the part has; infinite if there are too many to count.
        owns: returns whether a set, given as class indices, belongs to the part.
    """

    def __init__(
        self,
        seed: int,
        classes: Sequence[str],
        size: int,
        available: float,
        owns: Callable[[tuple[int, ...]], bool] = lambda task: True,
    ):
        self.seed, self.classes, self.size, self.available, self.owns = seed, classes, size, available, owns
        self._used: set[int] = set()

    def draw(self, member: int) -> list[str]:
        """Return the class names of a member's task, in the order of its head.

        Args:
            member: its index; indices must come in the order of the plan.
        """
        if len(self._used) >= self.available:
            self._used.clear()
        rng = stream(self.seed, "member", member, "task")
        while True:
            task = tuple(rng.choice(len(self.classes), self.size, replace=False).tolist())
            rank = class_set_rank(task)
            if rank not in self._used and self.owns(task):
                self._used.add(rank)
                return [self.classes[index] for index in task]


def _sets_per_part(seed: int, n_classes: int, size: int, members: int, shares: dict[str, int]) -> dict[str, float]:
    """Return the number of sets of classes of each part; infinite where no part can run out."""
    # Sets are assigned to parts in blocks, by the same shares as members: with a whole block of sets, and two sets per
    # member, each part has at least as many sets as members.
    if comb(n_classes, size) > max(2 * members, sum(shares.values())):
        return dict.fromkeys(shares, inf)
    sets = combinations(range(n_classes), size)
    counts = Counter(assigned_part(seed, "tasks", class_set_rank(classes), shares) for classes in sets)
    return {part: counts[part] for part in shares}


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

    No two parts share a set of classes, and members of one part get distinct sets as long as there are enough.

    Args:
        seed: the run's seed.
        classes: names of the classes that tasks are made of; their order matters.
        members: number of members.
        classes_per_task: classes per task.
        shares: shares of members in train, validation and test.
        distributions: of ``optimizer``, ``batch_size``, ``weight_decay``, ``early_epoch``, ``max_epoch``.
        learning_rates: one distribution per optimiser.

    Returns:
        One dict per member: ``member`` (index), ``part``, ``classes`` (names, ordered), ``seed``, ``learning_rate``
        and one value per distribution. Member i is the same in every size of zoo.

    Raises:
        ConfigError: a part would have no member, or no task that no other part has.
    """
    parts = [assigned_part(seed, "members", index, shares) for index in range(members)]
    missing = [part for part in shares if part not in parts]
    if missing:
        raise ConfigError(
            f"zoo.parts: {members} members leave the {missing[0]} part empty; raise zoo.members or that part's share"
        )
    available = _sets_per_part(seed, len(classes), classes_per_task, members, shares)
    if not all(available.values()):
        raise ConfigError(
            f"zoo.classes_per_task: {classes_per_task} of {len(classes)} classes make too few tasks to give each part "
            "tasks of its own; use more classes"
        )

    def owner(task: tuple[int, ...]) -> str:
        # Each set of classes belongs to one part, so no held-out task is a reordered training task.
        return assigned_part(seed, "tasks", class_set_rank(task), shares)

    draws = {
        part: TaskDraws(seed, classes, classes_per_task, count, lambda task, part=part: owner(task) == part)
        for part, count in available.items()
    }
    return [
        {"member": index, "part": part, "classes": draws[part].draw(index)}
        | _hyperparameters(seed, index, distributions, learning_rates)
        for index, part in enumerate(parts)
    ]


def first_training(plan: list[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    """Return a plan without training members after the first ``count``; None: the whole plan.

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

    Arguments and rows are those of ``plan_members``.
    """
    draws = TaskDraws(seed, classes, classes_per_task, comb(len(classes), classes_per_task))
    return [
        {"member": index, "part": "unseen", "classes": draws.draw(index)}
        | _hyperparameters(seed, index, distributions, learning_rates)
        for index in range(UNSEEN_FROM, UNSEEN_FROM + members)
    ]


def _hyperparameters(
    seed: int, index: int, distributions: dict[str, Distribution], learning_rates: dict[str, Distribution]
) -> dict[str, Any]:
    def draw(key: str, distribution: Distribution) -> Any:
        # Making a random stream takes longer than everything else for a member.
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
    """Write the plan as a table for readers; jobs get their rows as parameters.

    Args:
        plan: rows.
        out: CSV file.
    """
    import pandas as pd

    write_csv(out, pd.DataFrame([{**row, "classes": join_task(row["classes"])} for row in plan]))
