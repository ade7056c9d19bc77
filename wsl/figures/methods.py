"""The look of each method and weight encoder: one label and one colour in every figure and in the report."""

import hashlib
from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

from wsl.sampling.methods.base import METHODS
from wsl.weights.encoders.base import WEIGHT_ENCODERS

# Colours of methods and weight encoders that set none, for example of a plug-in.
OTHERS = ("#8C564B", "#6A3D9A", "#808000", "#1B9E9E", "#B2182B", "#4D4D9F")
# Kinds of held-out tasks by their name in tables: in words, and short for headings.
KINDS = {"seen": "classes that the zoo saw", "unseen": "classes that no member saw"}
SHORT_KINDS = {"seen": "seen classes", "unseen": "unseen classes"}


def kinds_in(names: Container[str]) -> list[str]:
    """Return the kinds of held-out tasks among some names: ``seen``, ``unseen`` or both."""
    return [kind for kind in KINDS if kind in names]


@dataclass(frozen=True)
class Look:
    """The look of a method.

    Attributes:
        label: its name in words.
        colour: hexadecimal; each sampler has its own, all others are grey or black.
        kind: ``sampler``; ``baseline``, which samplers should beat; ``reference``, which was trained on the task.
        marker: matplotlib's marker.
        line: matplotlib's line style.
    """

    label: str
    colour: str
    kind: Literal["sampler", "baseline", "reference"]
    marker: str = "o"
    line: str = "-"


def method(name: str) -> Look:
    """Return the look of a method; a name that is not registered is a sampler with a colour chosen by its name."""
    if name not in METHODS:
        return Look(name, _other(name), "sampler", "P")
    entry = METHODS[name]
    return Look(entry.label or name, entry.colour or _other(name), entry.kind, entry.marker, entry.line)


def encoder_colour(kind: str, gate: str) -> str:
    """Return the colour of a weight encoder by its kind and the criterion that spends its budget."""
    colours = WEIGHT_ENCODERS[kind].colours if kind in WEIGHT_ENCODERS else {}
    return colours.get(gate) or _other(f"{kind}, {gate}")


def uses_zoo(name: str) -> bool:
    """Return whether the models of a method depend on the training members."""
    return name not in METHODS or METHODS[name].uses_zoo


def same_data() -> list[str]:
    """Return the baselines that use the same data as samplers: images of the task, and the zoo."""
    return [name for name in METHODS.of_kind("baseline") if METHODS[name].same_data]


def strongest_baseline(accuracies: dict[str, float]) -> str | None:
    """Return the most accurate of the baselines that use the same data as samplers; None: there are none."""
    known = [name for name in reversed(same_data()) if name in accuracies]
    return max(known, key=accuracies.__getitem__, default=None)


def _other(name: str) -> str:
    # By its hash instead of its row: the colour must not depend on the other methods in a table.
    return OTHERS[hashlib.sha256(name.encode()).digest()[0] % len(OTHERS)]
