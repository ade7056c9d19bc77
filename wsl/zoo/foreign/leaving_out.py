"""What a user wants left out of an import: runs, checkpoints or files, by name."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from wsl.errors import DataError


class LeaveOut:
    """Names of runs, or of checkpoints and files of runs (``RUN/checkpoint_000005``), with ``*`` and ``?`` for others.

    Args:
        patterns: such names.
    """

    def __init__(self, patterns: Sequence[str] = ()):
        self._patterns = [pattern.rstrip("/") for pattern in patterns]
        self._used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        found = [pattern for pattern in self._patterns if pattern == name or fnmatchcase(name, pattern)]
        self._used.update(found)
        return bool(found)

    def check(self, zoo: object) -> None:
        """Refuse names that nothing in the zoo has.

        Raises:
            DataError: there is such a name.
        """
        if unused := [pattern for pattern in self._patterns if pattern not in self._used]:
            raise DataError(f"--leave-out: nothing in {zoo} is called {unused[0]}; correct the name")


NOTHING = LeaveOut()
