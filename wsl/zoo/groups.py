"""Which classes serve what: the backbone, the members' tasks, the tasks of unseen classes."""

from collections.abc import Sequence
from pathlib import Path

from wsl.errors import ConfigError, DataError
from wsl.randomness import stream
from wsl.text import read_text

ClassChoice = Sequence[str] | int | Path | None


def group_classes(
    seed: int, classes: list[str], backbone: ClassChoice, unseen: ClassChoice, needed: int
) -> dict[str, list[str]]:
    """Deal the run's classes out to three groups that share none.

    Args:
        seed: the run's seed; it draws where a number is given, among the classes that nobody names, unseen ones first,
            so that another number for the backbone leaves the unseen classes as they are.
        classes: names of all classes, in order.
        backbone, unseen: names, how many to draw, a text file of names (separated by white space), or None.
        needed: classes of a task.

    Returns:
        Names by group (``tasks``, ``backbone``, ``unseen``), each in the order of ``classes``.

    Raises:
        ConfigError: a class is unknown or in two groups, or a group is too small for what it is for.
    """
    choices = {"unseen": unseen, "backbone": backbone}
    left = list(classes)
    groups = {}
    for group in sorted(choices, key=lambda group: isinstance(choices[group], int)):
        chosen = _chosen(f"zoo.{group}.classes", choices[group], classes, left, stream(seed, "classes", group))
        groups[group] = [name for name in classes if name in chosen]
        left = [name for name in left if name not in chosen]
    groups["tasks"] = left
    if len(left) < needed:
        raise ConfigError(
            f"images.classes: {len(left)} classes are left for tasks, but a task has {needed}; "
            "use more classes, or keep fewer for the backbone and unseen tasks"
        )
    for group, least in (("unseen", needed), ("backbone", 2)):
        if choices[group] is not None and len(groups[group]) < least:
            raise ConfigError(
                f"zoo.{group}.classes: {len(groups[group])} classes are too few; give at least {least}, or leave it out"
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
        try:
            choice = read_text(choice).split()
        except DataError as error:
            raise ConfigError(f"{key}: {error}") from error
    for name in choice:
        if name not in left:
            why = "is in another group already" if name in classes else "is not among images.classes"
            raise ConfigError(f"{key}: the class {name!r} {why}; correct the name or take it out")
    return set(choice)
