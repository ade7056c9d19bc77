"""Errors that a user can fix; their messages name the file or key and the remedy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

SEVERAL = "the config cannot be run:"


class ConfigError(ValueError):
    """A config that cannot be run."""


class DataError(ValueError):
    """Data on disk that cannot be used as it is."""


class Faults:
    """Faults of a config, one line each, collected so that all are reported at once."""

    def __init__(self, lines: Sequence[str] = ()):
        self.lines = list(lines)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Collect the fault that ends the block, if there is one."""
        try:
            yield
        except (ConfigError, DataError) as error:
            self.lines += str(error).removeprefix(SEVERAL).strip().splitlines()

    def distinct(self) -> list[str]:
        """Return the faults without repetitions."""
        return list(dict.fromkeys(line.strip() for line in self.lines))

    def refuse(self) -> None:
        """Refuse the config if it has a fault.

        Raises:
            ConfigError: the message lists all faults.
        """
        if lines := self.distinct():
            raise ConfigError(lines[0] if len(lines) == 1 else "\n  ".join([SEVERAL, *lines]))
