"""Divide the classes among the backbone, the members' tasks and the tasks of unseen classes."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from wsl.errors import ConfigError, DataError, Faults
from wsl.files.text import read_text
from wsl.images.names import listed_names, match_names
from wsl.randomness import stream

ClassChoice = Sequence[str] | int | Path | None


def group_classes(
    seed: int,
    classes: list[str],
    backbone: ClassChoice,
    unseen: ClassChoice,
    needed: int,
    group: Callable[[str], str] = lambda name: "",
) -> dict[str, list[str]]:
    """Divide the run's classes into the disjoint groups ``tasks``, ``backbone`` and ``unseen``, each in their order.

    Args:
        seed: of the run. If a number is given, classes are drawn among those that no list names, unseen ones first, so
            that another number for the backbone leaves the unseen classes unchanged.
        classes: names of all classes, in order.
        backbone: names, a number of classes to draw, a text file (see ``wsl.images.names.listed_names``), or None.
        unseen: the same, for tasks of unseen classes.
        needed: classes per task.
        group: returns the label of a class's source among several. A label in a list of names stands for all classes of
            the source.

    Raises:
        ConfigError: a class is unknown, listed twice or in two groups, or a group is too small; all faults are listed.
    """
    choices, faults = {"unseen": unseen, "backbone": backbone}, Faults()
    left, groups = list(classes), {"unseen": [], "backbone": []}
    for use in sorted(choices, key=lambda use: isinstance(choices[use], int)):
        with faults.noted():
            choice = without_labels(choices[use], classes, group)
            chosen = _chosen(f"zoo.{use}.classes", choice, classes, left, stream(seed, "classes", use))
            groups[use] = [name for name in classes if name in chosen]
            left = [name for name in left if name not in chosen]
    faults.refuse()  # the sizes of groups follow from their names
    groups["tasks"] = left
    if len(left) < needed:
        faults.lines.append(
            f"images.classes: {len(left)} classes are left for tasks, but a task has {needed}; "
            "use more classes, or keep fewer for the backbone and unseen tasks"
        )
    for use, least in (("unseen", needed), ("backbone", 2)):
        if choices[use] is not None and (count := len(groups[use])) < least:
            fault = f"{count} classes are too few; give at least {least}, or leave it out"
            faults.lines.append(f"zoo.{use}.classes: {fault}")
    faults.refuse()
    return groups


def check_sources(classes: Sequence[str], group: Callable[[str], str], needed: int) -> None:
    """Refuse classes for tasks of one source each if a source has too few of them for a task.

    Args:
        classes: names of the classes for tasks.
        group: returns the label of a class's source.
        needed: classes per task.

    Raises:
        ConfigError: the message names the sources.
    """
    counts = Counter(map(group, classes))
    few = ", ".join(f"{label} ({count})" for label, count in counts.items() if count < needed)
    if few:
        raise ConfigError(
            f"zoo.tasks: a task of one source needs {needed} classes, but fewer are left for tasks of {few}; use more "
            "classes of it, leave it out, or set zoo.tasks: across"
        )


def without_labels(choice: ClassChoice, classes: Sequence[str], group: Callable[[str], str]) -> ClassChoice:
    """Return a choice in which the names of classes replace the label of their source in a list."""
    if not isinstance(choice, list):
        return choice
    labels = {label: [name for name in classes if group(name) == label] for label in choice if label}
    return [name for label in choice for name in labels.get(label) or [label]]


def _chosen(key: str, choice: ClassChoice, classes: list[str], left: list[str], rng) -> set[str]:
    if choice is None:
        return set()
    if isinstance(choice, int):
        if choice > len(left):
            raise ConfigError(f"{key}: {choice} classes requested, but only {len(left)} are left; request fewer")
        return set(rng.permutation(left)[:choice].tolist())
    if isinstance(choice, Path):
        if not choice.is_file():
            raise ConfigError(f"{key}: there is no file {choice}; correct the path or list the classes")
        try:
            choice = listed_names(read_text(choice), classes)
        except DataError as error:
            raise ConfigError(f"{key}: {error}") from error
    matched = match_names(choice, classes)
    faults = matched.faults("among images.classes", "correct the name or take it out")
    taken = [name for name in matched.names if name not in left]
    faults += [f"the class {name!r} is in another group already; take it out of one of them" for name in taken]
    Faults([f"{key}: {fault}" for fault in faults]).refuse()
    return set(matched.names)
