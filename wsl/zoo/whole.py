"""Plans of whole tasks: a task is all classes of one image source, so members of one source share a task."""

from collections.abc import Callable, Sequence
from typing import Any

from wsl.errors import ConfigError
from wsl.randomness import assigned_part
from wsl.zoo.few_sets import DATASET
from wsl.zoo.plan import UNSEEN_FROM, Distributions, member_parts, member_row

Sources = dict[str, list[str]]  # names of classes in their order, by the label of their source


def by_source(classes: Sequence[str], group: Callable[[str], str], alone: str) -> Sources:
    """Return the classes of each source.

    Args:
        classes: names, in their order.
        group: returns the label of a class's source; empty for the classes of a single source.
        alone: label of a single source.
    """
    sources: Sources = {}
    for name in classes:
        sources.setdefault(group(name) or alone, []).append(name)
    return sources


def check_whole(sources: Sources, needed: int, key: str) -> None:
    """Refuse sources whose number of classes is not that of a task.

    Args:
        sources: that tasks are made of.
        needed: classes per task.
        key: of the config that chooses the classes, for the message.

    Raises:
        ConfigError: the message names each source with its number of classes.
    """
    wrong = ", ".join(f"{label} ({len(names)})" for label, names in sources.items() if len(names) != needed)
    if wrong:
        raise ConfigError(
            f"{key}: with zoo.tasks: whole, a task has all classes of one source, so each needs as many classes as "
            f"zoo.classes_per_task, {needed}; others are left for tasks of {wrong}. Set zoo.classes_per_task, choose "
            "other classes, or leave the source out"
        )


def plan_whole(
    seed: int,
    sources: Sources,
    members: int,
    shares: dict[str, int],
    distributions: Distributions,
    learning_rates: Distributions,
) -> list[dict[str, Any]]:
    """Return the plan of members with whole tasks, see ``wsl.zoo.plan.plan_members``.

    Its rows have the column ``dataset``, the label of the source. The parts of the zoo are divided by member, and each
    source is equally often in each part: of n sources, every n consecutive members of a part have all of them, in
    random order.

    Raises:
        ConfigError: a part would be empty.
    """
    parts = member_parts(seed, members, shares)
    return _rows(seed, sources, list(enumerate(parts)), distributions, learning_rates)


def plan_whole_unseen(
    seed: int, sources: Sources, members: int, distributions: Distributions, learning_rates: Distributions
) -> list[dict[str, Any]]:
    """Return the plan of members with the whole tasks of sources that no other member sees."""
    numbered = [(UNSEEN_FROM + place, "unseen") for place in range(members)]
    return _rows(seed, sources, numbered, distributions, learning_rates)


def _rows(
    seed: int,
    sources: Sources,
    members: Sequence[tuple[int, str]],
    distributions: Distributions,
    learning_rates: Distributions,
) -> list[dict[str, Any]]:
    """Return the rows of members, by their number and part."""
    rows, places = [], dict.fromkeys((part for _, part in members), 0)
    for index, part in members:
        label = assigned_part(seed, f"sources of {part}", places[part], dict.fromkeys(sources, 1))
        places[part] += 1
        row = member_row(seed, index, part, sources[label], distributions, learning_rates)
        rows.append({**row, DATASET: label})
    return rows
