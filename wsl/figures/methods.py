"""How each method and weight encoder is named and drawn: one label and one colour in every figure and in the report."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from wsl.evaluation.kinds import kind_of
from wsl.figures.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY

# Colours of names that are not listed below, for example of a sampler that someone adds.
OTHERS = ("#8C564B", "#6A3D9A", "#808000", "#1B9E9E", "#B2182B", "#4D4D9F")
# Kinds of held-out tasks, by what a table calls them: in words, and for headings of few letters.
KINDS = {"seen": "classes that the zoo saw", "unseen": "classes that no member saw"}
SHORT_KINDS = {"seen": "seen classes", "unseen": "unseen classes"}
# Baselines that use the same data as samplers: images of the task, and the zoo.
SAME_DATA = ("body-probe", "body-prototypes", "probe", "prototypes", "nearest", "noised", "mean")


@dataclass(frozen=True)
class Method:
    """How a method is shown.

    Attributes:
        label: its name in words.
        colour: hexadecimal; samplers have colours of their own, all others are grey or black.
        kind: ``sampler``; ``baseline``, which a sampler should beat; ``reference``, which was trained on the task.
        marker: matplotlib's marker.
        line: matplotlib's line style.
    """

    label: str
    colour: str
    kind: Literal["sampler", "baseline", "reference"]
    marker: str = "o"
    line: str = "-"


# Label, colour, and marker and line where they are not the usual ones.
LOOKS = {
    "generator": ("generator", RED),
    "projection": ("projection (thesis)", BLUE),
    "regression": ("regression", GREEN),
    "flow": ("flow", PURPLE),
    "retrieval": ("retrieval", ORANGE),
    "memory-bank": ("memory bank", SKY),
    # The strongest baselines are the darkest.
    "body-probe": ("probe on generator's body", "#222222", "^"),
    "body-prototypes": ("prototypes on generator's body", "#222222", "s"),
    "probe": ("probe on the start", "#666666", "^", "--"),
    "prototypes": ("prototypes on the start", "#666666", "s", "--"),
    "nearest": ("nearest member", "#999999", "D"),
    "noised": ("nearest member, noised", "#999999", "d", "--"),
    "mean": ("mean of the zoo", "#999999", "v", ":"),
    "trained": ("trained on the task", "black", "P"),
    "reconstructed": ("trained, reconstructed", "black", "X", "--"),
    "start": ("the zoo's start", "#999999", "x", ":"),
    "scratch": ("from scratch", "#999999", "+", ":"),
}
METHODS = {name: Method(label, colour, kind_of(name), *marks) for name, (label, colour, *marks) in LOOKS.items()}

# By kind, and by what a budget of coefficients is spent on (``uniform``: no budget).
ENCODERS = {
    ("pca-ae", "uniform"): BLUE,
    ("pca-ae", "function"): SKY,
    ("pca-ae", "variance"): "#4D4D9F",
    ("pca", "uniform"): ORANGE,
    ("pca", "variance"): GREY,
    ("pca", "function"): RED,
    ("ae-pca", "uniform"): GREEN,
    ("contrastive", "uniform"): PURPLE,
    ("sane", "uniform"): "black",
}


def method(name: str) -> Method:
    """Return how a method is shown; a name that is not known is a sampler, and always gets the same colour."""
    return METHODS.get(name) or Method(name, _other(name), "sampler", "P")


def encoder_colour(kind: str, gate: str) -> str:
    """Return the colour of a weight encoder by its kind and by what its budget is spent on."""
    return ENCODERS.get((kind, gate)) or _other(f"{kind}, {gate}")


def strongest_baseline(accuracies: dict[str, float]) -> str | None:
    """Return the baseline of the highest accuracy among those that use the same data as samplers; None without any."""
    return max((name for name in SAME_DATA if name in accuracies), key=accuracies.__getitem__, default=None)


def _other(name: str) -> str:
    # Not by the order in a table: the colour must not depend on which other methods there are.
    return OTHERS[hashlib.sha256(name.encode()).digest()[0] % len(OTHERS)]
