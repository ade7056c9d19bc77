"""How many classes and members a config needs at least, so that a refusal can state it."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from wsl.config.schema import Config
from wsl.errors import ConfigError
from wsl.randomness import part_of
from wsl.zoo.groups import ClassChoice

MOST = 100  # classes for tasks up to which a number that suffices is searched for


def needs(config: Config, classes: int, plan: Callable[[list[str], int], Any]) -> list[str]:
    """Return in words what a config that is refused needs at least, where it has less.

    Args:
        config: of the run.
        classes: number of its classes.
        plan: makes the members' plan from class names and a number of members; raises ``ConfigError`` where one of them
            is too small.
    """
    zoo, found = config.zoo, []
    members = fewest_members(config.seed, zoo.parts.model_dump())
    if members > zoo.members:
        found.append(
            f"zoo.members: this config needs at least {members} members for one in each part, and has {zoo.members}"
        )
    tasks = fewest_task_classes(lambda names: plan(names, max(zoo.members, members)), zoo.classes_per_task)
    if tasks is None:
        return found
    counts = {
        "zoo.backbone.classes": _listed(zoo.backbone.classes),
        "zoo.unseen.classes": _listed(zoo.unseen.classes),
        f"tasks of {zoo.classes_per_task} such that each part has tasks of its own": tasks,
    }
    if sum(counts.values()) > classes:
        parts = " + ".join(f"{number} for {what}" for what, number in counts.items() if number)
        found.append(
            f"images.classes: this config needs at least {sum(counts.values())} classes ({parts}), and has {classes}"
        )
    return found


def fewest_members(seed: int, shares: dict[str, int]) -> int:
    """Return the fewest members of which every part gets one.

    Args:
        seed: the run's seed.
        shares: shares of members in the parts.
    """
    missing = set(shares)
    for index in count():
        missing.discard(part_of(seed, "members", index, shares))
        if not missing:
            return index + 1


def fewest_task_classes(plan: Callable[[list[str]], Any], needed: int) -> int | None:
    """Return the fewest classes from which every part of the zoo gets tasks of its own.

    Args:
        plan: makes the members' plan from class names; raises ``ConfigError`` where they are too few.
        needed: classes of a task.

    Returns:
        The number; None: ``MOST`` classes do not suffice, so that the cause is another one.
    """
    for number in range(needed, MOST + 1):
        try:
            plan([str(place) for place in range(number)])
        except ConfigError:
            continue
        return number
    return None


def _listed(choice: ClassChoice) -> int:
    """Return how many classes a choice takes; a file of names counts as none, since it may be the one at fault."""
    if choice is None or isinstance(choice, Path):
        return 0
    return choice if isinstance(choice, int) else len(set(choice))
