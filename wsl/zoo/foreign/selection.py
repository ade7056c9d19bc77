"""Choices of the user about runs by their hyper-parameters, and settings that weights do not show."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from wsl.errors import DataError
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.foreign.run import ForeignRun

SHOWN = 8  # values in a message
# Hyper-parameters that change a network, in the order in which they explain a difference.
DECISIVE = ("model_type", "activation", "dropout", "head_mlp", "head_hidden", "dataset", "model", "width", "widths")


class Only:
    """Choose runs by hyper-parameters: texts ``key=value``, which all must hold."""

    def __init__(self, wanted: Sequence[str]):
        self._wanted = dict(text.split("=", 1) for text in wanted)

    def __call__(self, run: ForeignRun) -> bool:
        return self.holds(run.about)

    def holds(self, about: Mapping[str, Any]) -> bool:
        """Return whether all texts hold for hyper-parameters."""
        return all(key in about and _same(about[key], value) for key, value in self._wanted.items())

    def check(self, runs: Sequence[ForeignRun]) -> None:
        """Refuse keys and values that no run has.

        Raises:
            DataError: the message lists those that there are.
        """
        for key, value in self._wanted.items():
            values = Counter(str(run.about[key]) for run in runs if key in run.about)
            if not values:
                keys = sorted({key for run in runs for key in run.about})
                raise DataError(f"--only: no run has a hyper-parameter {key}; there are {', '.join(keys)}")
            if not any(_same(one, value) for one in values):
                counts = ", ".join(f"{one} ({count} runs)" for one, count in values.most_common(SHOWN))
                raise DataError(f"--only: no run has {key}={value}; there are {counts}")


def _same(value: Any, text: str) -> bool:
    """Return whether a value is the one that is written as ``text``; 0.50 is 0.5, and true is 1."""
    text = {"true": "1", "false": "0"}.get(text.lower(), text)
    try:
        return float(value) == float(text)
    except ValueError:
        return str(value).lower() == text.lower()


def ways_to_others(kept: Sequence[ForeignRun], others: Sequence[ForeignRun]) -> Counter[str]:
    """Return options ``--only`` that choose runs with other networks than those that were kept, with their numbers.

    Empty: no hyper-parameter distinguishes them.
    """
    about = [{key: str(run.about.get(key)) for key in DECISIVE} for run in [*kept, *others]]
    differing = [key for key in DECISIVE if len({one[key] for one in about}) > 1]
    for keys in [*([key] for key in differing), differing]:
        values = [tuple(one[key] for key in keys) for one in about]
        ours, theirs = set(values[: len(kept)]), Counter(values[len(kept) :])
        if len(ours) == 1 and not ours & set(theirs):
            named = {one: [pair for pair in zip(keys, one, strict=True) if pair[1] != "None"] for one in theirs}
            options = {one: " ".join(f"--only {key}={value}" for key, value in pairs) for one, pairs in named.items()}
            return Counter({options[one]: count for one, count in theirs.items() if options[one]})
    return Counter()


def given_settings(texts: Sequence[str]) -> dict[str, Any]:
    """Return settings of networks from texts ``key=value``; a value ``unknown`` hides what files show.

    Raises:
        DataError: there is no such setting that weights do not show.
    """
    possible = {key for architecture in ARCHITECTURES.values() for key in architecture.unseen}
    possible |= {"model_type", "image_size"}
    given: dict[str, Any] = {}
    for key, value in (text.split("=", 1) for text in texts):
        if key not in possible:
            raise DataError(
                f"--set: {key} is not a setting that weights do not show; there are {', '.join(sorted(possible))}"
            )
        given[key] = _plain(value)
    return given


def _plain(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float) else text


def shared_settings(runs: Sequence[ForeignRun], keys: Sequence[str]) -> Mapping[str, Any]:
    """Return those of the named hyper-parameters that all runs have, with the same value."""
    values = {key: {run.about.get(key) for run in runs} for key in keys}
    return {key: value.pop() for key, value in values.items() if len(value) == 1 and None not in value}
