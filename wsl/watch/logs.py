"""What jobs say in their logs: epochs with their losses, and the error that ended one."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

FAILED = "ERROR the job failed"  # see ``wsl.jobs.job``
_START = r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) INFO "
_LOSSES = r"(?P<train_loss>\S+), validation (?P<validation_loss>\S+)\n"
# As ``wsl.zoo.training``, ``wsl.fitting`` and ``wsl.zoo.backbone`` write them, named as histories name their columns.
_EPOCHS = [
    re.compile(_START + line)
    for line in (
        r"member (?P<member>\d+), epoch (?P<epoch>\d+): train " + _LOSSES,
        r"epoch (?P<epoch>\d+) of (?P<of>\d+): losses " + _LOSSES,
        r"epoch (?P<epoch>\d+): training loss (?P<train_loss>\S+), accuracy (?P<train_accuracy>\S+)\n",
    )
]


@dataclass(frozen=True)
class Epoch:
    """An epoch of something that is trained.

    Attributes:
        epoch: its number, from 1; 0 is the start.
        time: when it was done, seconds since 1970; None where nobody wrote it down.
        values: losses and accuracies, by the names of histories' columns.
        member: the member's file name without ending, ``00017``; None where no member is trained.
        of: how many epochs there will be, where that is said.
    """

    epoch: int
    time: float | None
    values: dict[str, float]
    member: str | None = None
    of: int | None = None


@dataclass(frozen=True)
class Log:
    """A log as it was when it was read; its last line may be a part of one."""

    text: str
    time: float  # of its last change, seconds since 1970

    @cached_property
    def epochs(self) -> list[Epoch]:
        """All epochs, in the order in which they were done."""
        found = [match for pattern in _EPOCHS for match in pattern.finditer(self.text)]
        return [_epoch(match.groupdict()) for match in sorted(found, key=re.Match.start)]

    @property
    def error(self) -> str | None:
        """The last line of the error that ended the job; None where it goes on or ended well."""
        if FAILED not in self.text:
            return None
        return self.text.rstrip().rpartition("\n")[2].strip()


class Logs:
    """Reads logs, and each again only once it has changed.

    Args:
        folder: what their paths are seen from.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._read: dict[str, tuple[tuple[int, int], Log]] = {}

    def read(self, path: str) -> Log | None:
        """Return a log; None where it is not there."""
        try:
            about = (self.folder / path).stat()
            key = (about.st_mtime_ns, about.st_size)
            if self._read.get(path, (None,))[0] != key:
                text = (self.folder / path).read_text(encoding="utf-8", errors="replace")
                self._read[path] = key, Log(text, about.st_mtime)
        except OSError:  # a job that starts anew, or somebody's broom
            return None
        return self._read[path][1]


def _epoch(said: dict[str, str | None]) -> Epoch:
    moment, epoch, member, of = (said.pop(key, None) for key in ("time", "epoch", "member", "of"))
    return Epoch(
        int(epoch),
        datetime.fromisoformat(moment).timestamp(),
        {name: float(value) for name, value in said.items()},
        None if member is None else f"{int(member):05d}",
        None if of is None else int(of),
    )
