"""What counts as independent in a zoo: sets of classes or members, and warnings where held-out parts have too few."""

from collections.abc import Sequence
from typing import Any

SETS, MEMBERS = "sets of classes", "members"  # units of intervals
DATASET = "dataset"  # column of plans in which a task is all classes of one image source: the source's label
FEW_SETS = 10  # with fewer, the t quantile alone widens an interval by over 15 %
HELD_OUT = {
    "test": ("tasks of seen classes", "zoo.members or the share zoo.parts.test", "more classes for tasks"),
    "unseen": (
        "tasks of unseen classes",
        "zoo.unseen.members, or leave out classes of a larger zoo",
        "more classes in zoo.unseen.classes, or leave out classes of a larger zoo",
    ),
}


def count_sets(plan: Sequence[dict[str, Any]], part: str) -> tuple[int, int]:
    """Return how many tasks a part of a plan has, and how many distinct sets of classes these are."""
    tasks = [frozenset(row["classes"]) for row in plan if row["part"] == part]
    return len(tasks), len(set(tasks))


def unit_of(plan: Sequence[dict[str, Any]]) -> str:
    """Return the unit of intervals: ``members`` if they share whole tasks, or all have one; else ``sets of classes``.

    Members with the same task are independent only given its classes. So intervals over members hold for other members
    on these classes, and say nothing about other classes.
    """
    whole = all(DATASET in row for row in plan)
    return MEMBERS if whole or len({tuple(row["classes"]) for row in plan}) == 1 else SETS


def counted(count: int, unit: str) -> str:
    """Return a number of units in words: ``1 set of classes``, ``24 members``."""
    return f"{count} {unit if count != 1 else {SETS: 'set of classes', MEMBERS: 'member'}[unit]}"


def count_units(plan: Sequence[dict[str, Any]], part: str) -> tuple[int, int]:
    """Return how many tasks a part of a plan has, and how many of the units of intervals these are."""
    members, sets = count_sets(plan, part)
    return members, members if unit_of(plan) == MEMBERS else sets


def few_sets(plan: Sequence[dict[str, Any]]) -> list[str]:
    """Return a warning if all members have one task, and one for each held-out part with fewer than ``FEW_SETS`` units.

    Few units make every headline number imprecise.
    """
    warnings, unit = [], unit_of(plan)
    if len({tuple(row["classes"]) for row in plan}) == 1 and count_sets(plan, "train")[0]:
        warnings.append(
            "all members have the same task, so datasets D do not differ: the shared encoder and samplers can only "
            "follow R. Intervals are over members, and hold for this task alone."
        )
    for part, (tasks, more_members, more_classes) in HELD_OUT.items():
        members, count = count_units(plan, part)
        if 0 < count < FEW_SETS and unit == MEMBERS:
            warnings.append(
                f"the {tasks} have {count} held-out member{'s' * (count > 1)}. Intervals are over members and will be "
                f"wide; raise {more_members}."
            )
        elif 0 < count < FEW_SETS:
            remedy = f"use {more_classes}" if count < members else f"raise {more_members}"
            warnings.append(
                f"the {members} held-out {tasks} are {count} distinct set{'s' * (count > 1)} of classes. "
                f"Intervals are over sets and will be wide; {remedy}."
            )
    return warnings
