"""The smallest numbers of classes and members that a config needs, for messages."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from wsl.config.schema import Config
from wsl.errors import ConfigError
from wsl.randomness import assigned_part
from wsl.zoo.groups import ClassChoice

MOST = 100  # largest number of classes for tasks that is tried


def needs(config: Config, classes: int, plan: Callable[[list[str], int], Any]) -> list[str]:
    """Return one sentence per number that is smaller than a refused config needs.

    Args:
        config: config of the run.
        classes: number of its classes.
        plan: creates the members' plan from class names and a number of members; raises ``ConfigError`` if there are
            too few of either.
    """
    zoo, lines = config.zoo, []
    members = fewest_members(config.seed, zoo.parts.model_dump())
    if members > zoo.members:
        lines.append(
            f"zoo.members: this config needs at least {members} members, one in each part, but has {zoo.members}"
        )
    if zoo.tasks == "whole":  # whose faults name the numbers of classes of each source
        return lines
    tasks = fewest_task_classes(lambda names: plan(names, max(zoo.members, members)), zoo.classes_per_task)
    if tasks is None:
        return lines
    counts = {
        "zoo.backbone.classes": _listed(zoo.backbone.classes),
        "zoo.unseen.classes": _listed(zoo.unseen.classes),
        f"tasks of {zoo.classes_per_task} classes, with different tasks in each part": tasks,
    }
    if sum(counts.values()) > classes:
        parts = " + ".join(f"{number} for {use}" for use, number in counts.items() if number)
        lines.append(
            f"images.classes: this config needs at least {sum(counts.values())} classes ({parts}), but has {classes}"
        )
    return lines


def fewest_members(seed: int, shares: dict[str, int]) -> int:
    """Return the smallest number of members with which each part has one; ``shares`` is by part."""
    missing = set(shares)
    for index in count():
        missing.discard(assigned_part(seed, "members", index, shares))
        if not missing:
            return index + 1


def fewest_task_classes(plan: Callable[[list[str]], Any], needed: int) -> int | None:
    """Return the smallest number of classes with which each part of the zoo has its own tasks.

    None: ``MOST`` classes do not suffice, so there is another cause.

    Args:
        plan: creates the members' plan from class names; raises ``ConfigError`` if they are too few.
        needed: number of classes of a task.
    """
    for number in range(needed, MOST + 1):
        with suppress(ConfigError):
            plan([str(place) for place in range(number)])
            return number
    return None


def _listed(choice: ClassChoice) -> int:
    """Return the number of chosen classes; 0 for a file of names, since the file itself may be wrong."""
    if choice is None or isinstance(choice, Path):
        return 0
    return choice if isinstance(choice, int) else len(set(choice))
