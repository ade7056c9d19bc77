"""Which classes serve what: the backbone, the members' tasks, the tasks of unseen classes."""

from collections.abc import Sequence
from pathlib import Path

from wsl.errors import ConfigError
from wsl.randomness import stream

GROUPS = ("tasks", "backbone", "unseen")
ClassChoice = Sequence[str] | int | Path | None


def group_classes(
    seed: int, classes: list[str], backbone: ClassChoice, unseen: ClassChoice, needed: int
) -> dict[str, list[str]]:
    """Deal the run's classes out to three groups that share none.

    Args:
        seed: the run's seed; numbers of classes are drawn by it, unseen ones first, so that another backbone leaves
            the unseen classes as they are.
        classes: names of all classes, in order.
        backbone, unseen: names, how many to draw, a text file of names (separated by white space), or None.
        needed: classes of a task.

    Returns:
        Names by group, each in the order of ``classes``.

    Raises:
        ConfigError: a class is unknown or in two groups, or too few are left to make a task.
    """
    left = list(classes)
    groups = {}
    for group, choice in (("unseen", unseen), ("backbone", backbone)):
        key = f"zoo.{group}.classes"
        chosen = _chosen(key, choice, classes, left, stream(seed, "classes", group))
        groups[group] = [name for name in classes if name in chosen]
        left = [name for name in left if name not in chosen]
    groups["tasks"] = left
    for group, names in groups.items():
        if len(names) < needed and (group == "tasks" or (group == "unseen" and names)):
            key = "images.classes" if group == "tasks" else "zoo.unseen.classes"
            raise ConfigError(
                f"{key}: {len(names)} classes are left for {group}, but a task has {needed}; "
                "use more classes, or keep fewer for the backbone and unseen tasks"
            )
    return groups


def _chosen(key: str, choice: ClassChoice, classes: list[str], left: list[str], rng) -> set[str]:
    if choice is None:
        return set()
    if isinstance(choice, int):
        if choice > len(left):
            raise ConfigError(f"{key}: {choice} classes asked for, but only {len(left)} are left; ask for fewer")
        return set(rng.permutation(left)[:choice].tolist())
    if isinstance(choice, Path):
        if not choice.is_file():
            raise ConfigError(f"{key}: there is no file {choice}; correct the path or list the classes")
        choice = choice.read_text(encoding="utf-8").split()
    for name in choice:
        if name not in left:
            why = "is in another group already" if name in classes else "is not among images.classes"
            raise ConfigError(f"{key}: the class {name!r} {why}; correct the name or take it out")
    return set(choice)
