"""Mixed zoos, whose members have several architectures: names of architectures, and which member has which."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from wsl.randomness import assigned_part
from wsl.zoo.architectures.base import Architecture


def labelled(architectures: Sequence[Architecture]) -> dict[str, Architecture]:
    """Return architectures by label: the name, then the settings in which those of one name differ.

    Labels are unique and can be names of files, for example ``resnet18-width-4``.
    """
    labels: dict[str, Architecture] = {}
    for architecture in architectures:
        described = dict(architecture)
        others = [dict(other) for other in architectures if other.name == architecture.name]
        differing = [key for key in described if any(other[key] != described[key] for other in others)]
        words = [(key,) * (key != architecture.short) + (described[key],) for key in differing]
        text = "-".join(str(word) for word in [architecture.name, *(word for pair in words for word in pair)])
        label = re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-")
        labels[label if label not in labels else f"{label}-{len(labels)}"] = architecture
    return labels


def with_architectures(seed: int, plan: Sequence[dict[str, Any]], labels: Iterable[str]) -> list[dict[str, Any]]:
    """Return a plan with ``architecture``, the label of each member's.

    Each architecture gets an equal share of every part: in each run of as many members of the part as there are
    architectures, every architecture occurs once, in random order. Member i is the same in every size of zoo.
    """
    shares, counts, rows = dict.fromkeys(labels, 1), Counter(), []
    for row in plan:
        label = assigned_part(seed, f"architectures of {row['part']}", counts[row["part"]], shares)
        counts[row["part"]] += 1
        rows.append({**row, "architecture": label})
    return rows
