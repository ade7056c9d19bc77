"""A training run of another program: what is known before its weights are read, and which runs are left out."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import isfinite, nan
from pathlib import Path
from typing import Any

import pandas as pd

from wsl.errors import DataError

# Other programs' names; tables may also have those of this project.
METRICS = {"train_loss": "train_loss", "train_acc": "train_accuracy"}
METRICS |= {"val_loss": "validation_loss", "val_acc": "validation_accuracy"}
METRICS |= {"test_loss": "test_loss", "test_acc": "test_accuracy"}
REMEDY = "correct it, or leave the run out by --leave-out"
NOT_MEASURED = -999.0  # ModelZooDataset's results before the first epoch
PARTS = ("train", "validation", "test", "unseen")
RESERVED = {"architecture", "classes", "task", "part", "source", "diverged", "digest"}  # never in ``about``


@dataclass
class ForeignRun:
    """One member of another program's zoo; None: unknown."""

    name: str  # in the zoo, for messages
    about: dict[str, Any]  # hyper-parameters, by the names of our plan where it has them; ``member`` is the number
    classes: list[str] | None  # names in the order of the head's rows
    part: str | None
    results: pd.DataFrame  # one sorted row per epoch, with columns of ``METRICS``; accuracies in the zoo's unit
    files: dict[int, Path]  # of its weights, by epoch
    joined: str = ""  # how weights and results were matched
    names: dict[int, str] = field(default_factory=dict)  # of snapshots by epoch, if the zoo has them
    outputs: int | None = None  # of the network
    layout: Any = None  # of the network, as `wsl export` wrote it, not checked
    notes: tuple[str, ...] = ()  # what was ignored, in phrases that other runs may share

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


class LeaveOut:
    """Names of runs, checkpoints (``RUN/checkpoint_000005``) and files to leave out; may contain ``*`` and ``?``."""

    def __init__(self, patterns: Sequence[str] = ()):
        self._patterns = [pattern.rstrip("/") for pattern in patterns]
        self._used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        matching = [pattern for pattern in self._patterns if pattern == name or fnmatchcase(name, pattern)]
        self._used.update(matching)
        return bool(matching)

    def check(self, zoo: object) -> None:
        """Refuse patterns that match nothing in the folder ``zoo``.

        Raises:
            DataError: there is such a pattern.
        """
        if unused := [pattern for pattern in self._patterns if pattern not in self._used]:
            raise DataError(f"--leave-out: nothing in {zoo} is called {unused[0]}; correct the name")


NOTHING = LeaveOut()


def check_classes(place: str, classes: Any) -> None:
    """Refuse anything but a list of distinct class names that tables can hold.

    Raises:
        DataError: it is something else; the message starts with ``place``.
    """
    valid = isinstance(classes, list) and all(isinstance(name, str) and name and "/" not in name for name in classes)
    if not valid or len(set(classes)) < len(classes):
        raise DataError(f"{place}: {classes!r} are not class names; give each once, without a slash")


def results_table(rows: Iterable[tuple[str, int, Mapping[str, Any]]]) -> pd.DataFrame:
    """Return the table of results, from the place of each row (for messages), its epoch, and metrics by known names.

    Raises:
        DataError: an epoch has two rows, or a metric is not a number.
    """
    places: dict[int, str] = {}
    results: dict[int, dict[str, float]] = {}
    for place, epoch, values in rows:
        if epoch in places:
            raise DataError(f"{place}: epoch {epoch} is already in {places[epoch]}; leave one out by --leave-out FILE")
        places[epoch] = place
        named = {ours: values[key] for theirs, ours in METRICS.items() for key in (theirs, ours) if key in values}
        numbers = {key: _number(place, key, value) for key, value in named.items()}
        results[epoch] = {key: nan if value == NOT_MEASURED else value for key, value in numbers.items()}
    return pd.DataFrame.from_dict(results, orient="index").sort_index()


def whole_number(place: str, key: str, value: Any) -> int:
    """Return an epoch or another count as an integer.

    Raises:
        DataError: it is not a non-negative integer; the message names ``place`` and ``key``.
    """
    number = _number(place, key, value)
    if not (isfinite(number) and number >= 0 and number == int(number)):
        raise DataError(f"{place}: {key} is {value!r}, not a non-negative integer; {REMEDY}")
    return int(number)


def _number(place: str, key: str, value: Any) -> float:
    try:
        return nan if value in (None, "") else float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{place}: {key} is {value!r}, not a number; {REMEDY}") from error
