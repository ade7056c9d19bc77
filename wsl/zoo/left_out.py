"""Classes left out of a zoo that was trained with them: its members become those of a zoo in which they are unseen."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

from wsl.errors import Faults
from wsl.images.names import match_names
from wsl.zoo.groups import without_labels

KEY = "zoo.leave_out"
PARTS = {"train": "training", "validation": "validation", "test": "test"}


def chosen_classes(wanted: list[str], classes: Sequence[str], group: Callable[[str], str]) -> list[str]:
    """Return the classes that a list of names and of labels of image sources stands for, in their order.

    Args:
        wanted: names of classes, or labels.
        classes: of the zoo.
        group: returns the label of a class's source, see ``ImageSource.group``.

    Raises:
        ConfigError: a name is unknown, or listed twice.
    """
    known = [*classes, *dict.fromkeys(label for name in classes if (label := group(name)))]
    matched = match_names(wanted, known)
    names = without_labels(matched.names, classes, group)
    twice = [name for name, count in Counter(names).items() if count > 1]  # by its name and by its source
    faults = matched.faults("or image source in that zoo", "correct the name or take it out")
    faults += [f"the class {name!r} is listed twice; list each class once" for name in twice]
    Faults([f"{KEY}: {fault}" for fault in faults]).refuse()
    return [name for name in classes if name in names]


def without_classes(
    plan: Sequence[dict[str, Any]], groups: dict[str, list[str]], left: Collection[str]
) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """Return the plan and the groups of classes that a zoo would have if some of its classes were unseen.

    Members whose tasks have none of these classes stay as they are. Test members whose tasks have no others become part
    ``unseen``. All other members on these classes are left out: nothing may be fitted to them, and tasks that mix
    classes of both kinds are neither seen nor unseen.

    Args:
        plan: one dict per member, see ``wsl.zoo.plan``.
        groups: classes by use, see ``wsl.zoo.groups``.
        left: names of the classes.

    Raises:
        ConfigError: a class is unseen already, the members' common start was trained on it, or a part has no member.
    """
    faults = Faults()
    for use, reason in (
        ("unseen", "no training member of that zoo has a task with {} anyway; take it out"),
        ("backbone", "the members' common start was trained on {}, so it cannot become unseen; take it out"),
    ):
        faults.lines += [f"{KEY}: {reason.format(repr(name))}" for name in groups[use] if name in left]
    faults.refuse()
    kept = []
    for row in plan:
        own = len(set(row["classes"]).intersection(left))
        if not own:
            kept.append(row)
        elif row["part"] == "test" and own == len(row["classes"]):
            kept.append({**row, "part": "unseen"})
    members = Counter(row["part"] for row in kept)
    for part, name in PARTS.items():
        if not members[part]:
            faults.lines.append(f"{KEY}: every {name} member of that zoo has a task with these classes; name fewer")
    if not any(row["part"] == "test" and set(row["classes"]).issubset(left) for row in plan):
        faults.lines.append(
            f"{KEY}: no test member of that zoo has a task of these classes alone, so unseen classes cannot be "
            "evaluated; name all classes of a source, or use a zoo with more test members"
        )
    faults.refuse()
    tasks, unseen = ([name for name in groups["tasks"] if (name in left) == out] for out in (False, True))
    return kept, {**groups, "tasks": tasks, "unseen": [*groups["unseen"], *unseen]}
