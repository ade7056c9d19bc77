"""The list of stages, and what a stage does with an architecture."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from wsl.errors import ConfigError, DataError

STAGES: dict[str, Callable[[Any], "Outcome | None"]] = {}  # by name, in the order of a run


class Outcome(NamedTuple):
    """Whether a stage works, and a remark: what it does differently, or why it refuses."""

    works: bool = True
    remark: str = ""


def stage(name: str) -> Callable:
    """Return a decorator that lists a function: it runs a stage on ``Material`` and checks the results.

    The function returns an ``Outcome``; None: the stage works.
    """

    def add(function: Callable) -> Callable:
        STAGES[name] = function
        return function

    return add


def refused(reason: str, function: Callable, *arguments: Any) -> Outcome:
    """Return the outcome of a stage that refuses an architecture with a message that contains ``reason``."""
    with pytest.raises((ConfigError, DataError)) as refusal:
        function(*arguments)
    message = " ".join(str(refusal.value).removeprefix("the config cannot be run:").split())
    assert reason in message
    return Outcome(False, message)
