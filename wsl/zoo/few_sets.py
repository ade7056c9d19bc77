"""Distinct sets of classes in the parts of a plan, and warnings where held-out parts have too few."""

from collections.abc import Sequence
from typing import Any

FEW_SETS = 10  # with fewer, the t quantile alone widens an interval by over 15 %
HELD_OUT = {
    "test": ("tasks of seen classes", "zoo.members or the share zoo.parts.test", "more classes for tasks"),
    "unseen": ("tasks of unseen classes", "zoo.unseen.members", "more classes in zoo.unseen.classes"),
}


def count_sets(plan: Sequence[dict[str, Any]], part: str) -> tuple[int, int]:
    """Return how many tasks a part of a plan has, and how many distinct sets of classes these are."""
    tasks = [frozenset(row["classes"]) for row in plan if row["part"] == part]
    return len(tasks), len(set(tasks))


def few_sets(plan: Sequence[dict[str, Any]]) -> list[str]:
    """Return a warning for each held-out part of a plan that has fewer than ``FEW_SETS`` distinct sets of classes.

    Intervals are over sets, so few sets make every headline number imprecise.
    """
    if len({tuple(row["classes"]) for row in plan}) == 1 and count_sets(plan, "train")[0]:
        return [
            "all members have the same task, so datasets D do not differ: the shared encoder and samplers can only "
            "follow R, and accuracies have no intervals, since these are over sets of classes."
        ]
    warnings = []
    for part, (tasks, more_members, more_classes) in HELD_OUT.items():
        members, count = count_sets(plan, part)
        if 0 < count < FEW_SETS:
            remedy = f"use {more_classes}" if count < members else f"raise {more_members}"
            warnings.append(
                f"the {members} held-out {tasks} are {count} distinct set{'s' * (count > 1)} of classes. "
                f"Intervals are over sets and will be wide; {remedy}."
            )
    return warnings
