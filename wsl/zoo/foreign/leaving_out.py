"""Runs, checkpoints and files that an import leaves out, by name."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from wsl.errors import DataError


class LeaveOut:
    """Names of runs, checkpoints and files (``RUN/checkpoint_000005``), with ``*`` and ``?`` as wildcards.

    Args:
        patterns: names.
    """

    def __init__(self, patterns: Sequence[str] = ()):
        self._patterns = [pattern.rstrip("/") for pattern in patterns]
        self._used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        found = [pattern for pattern in self._patterns if pattern == name or fnmatchcase(name, pattern)]
        self._used.update(found)
        return bool(found)

    def check(self, zoo: object) -> None:
        """Refuse patterns that match nothing.

        Args:
            zoo: its folder, for messages.

        Raises:
            DataError: there is such a pattern.
        """
        if unused := [pattern for pattern in self._patterns if pattern not in self._used]:
            raise DataError(f"--leave-out: nothing in {zoo} is called {unused[0]}; correct the name")


NOTHING = LeaveOut()
