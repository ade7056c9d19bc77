"""A training run that others made, as all kinds of zoos tell it: what is known before any weight is read."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import Any

import pandas as pd

from wsl.errors import DataError

# By the names of others, and by this project's own, as tables have both.
METRICS = {
    "train_loss": "train_loss",
    "train_acc": "train_accuracy",
    "val_loss": "validation_loss",
    "val_acc": "validation_accuracy",
    "test_loss": "test_loss",
    "test_acc": "test_accuracy",
}
OWN_METRICS = tuple(METRICS.values())
PARTS = ("train", "validation", "test", "unseen")
RESERVED = {"classes", "task", "part", "width", "source", "diverged", "digest"}  # what is told apart from ``about``


@dataclass
class ForeignRun:
    """One member of a zoo that others made.

    Attributes:
        name: as the zoo has it, for messages.
        about: its hyper-parameters, by the names of our plan where it has them; ``member`` is a number of its own.
        classes: names in the order of the head's rows; None: the zoo does not say.
        part: that it belongs to; None: the zoo does not say.
        results: a row an epoch, by epoch in order: those of ``OWN_METRICS`` that the zoo has, accuracies in its unit.
        files: of its weights, by epoch.
    """

    name: str
    about: dict[str, Any]
    classes: list[str] | None
    part: str | None
    results: pd.DataFrame
    files: dict[int, Path]

    def __post_init__(self) -> None:
        if self.part is not None and self.part not in PARTS:
            raise DataError(f"{self.name}: there is no part {self.part!r}; name one of {', '.join(PARTS)}")
        if self.classes is not None:
            check_classes(self.name, self.classes)
        for key in self.about:
            if not re.fullmatch(r"\w[^/]*", key):
                raise DataError(f"{self.name}: no table can have a column {key!r}; rename it: no slash, a letter first")
        self.about = {key: value for key, value in self.about.items() if key not in RESERVED}

    @property
    def accuracies(self) -> pd.DataFrame:
        return self.results.filter(like="_accuracy")


def check_classes(place: str, classes: Any) -> None:
    """Refuse what is no list of class names that tables can hold.

    Raises:
        DataError: it is none.
    """
    good = isinstance(classes, list) and all(isinstance(name, str) and name and "/" not in name for name in classes)
    if not good or len(set(classes)) < len(classes):
        raise DataError(f"{place}: {classes!r} are no class names; give each once, without a slash")


def results_table(rows: Iterable[tuple[str, int, Mapping[str, Any]]]) -> pd.DataFrame:
    """Return ``results`` of rows: where each stands (for messages), its epoch, and metrics by anybody's names.

    Raises:
        DataError: an epoch has two rows, or a metric is no number.
    """
    places: dict[int, str] = {}
    found: dict[int, dict[str, float]] = {}
    for place, epoch, values in rows:
        if epoch in places:
            raise DataError(f"{place}: epoch {epoch} is there already, in {places[epoch]}; delete one of the two")
        places[epoch] = place
        named = {ours: values[key] for theirs, ours in METRICS.items() for key in (theirs, ours) if key in values}
        found[epoch] = {key: _number(place, key, value) for key, value in named.items()}
    return pd.DataFrame.from_dict(found, orient="index").sort_index()


def whole_number(place: str, key: str, value: Any) -> int:
    """Return an epoch or another count.

    Raises:
        DataError: it is none.
    """
    number = _number(place, key, value)
    if not (isfinite(number) and number >= 0 and number == int(number)):
        raise DataError(f"{place}: {key} is {value!r}, and no whole number; correct it, or delete the line")
    return int(number)


def _number(place: str, key: str, value: Any) -> float:
    try:
        return nan if value in (None, "") else float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{place}: {key} is {value!r}, and no number; correct it, or delete the line") from error
