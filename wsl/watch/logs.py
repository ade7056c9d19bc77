"""What jobs write to their logs: epochs with their losses, warnings, and the error that ended a job."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import dropwhile
from pathlib import Path

from wsl.watch.steps import Step, parse_steps

FAILED, STOPPED = "ERROR the job failed", "INFO the job was stopped"  # see ``wsl.jobs.job``
_TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
_START = rf"(?P<time>{_TIME}) INFO "
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
# A warning of Python's names its place first: `/path/file.py:12: UserWarning: text`.
_WARNING = re.compile(rf"^{_TIME} WARNING (?:\S+:\d+: )?(?P<text>.+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Epoch:
    """An epoch of something that is trained.

    Attributes:
        epoch: its number, from 1; 0 is the start.
        time: when it was done, seconds since 1970; None where the log does not hold it.
        values: losses and accuracies, by the names of histories' columns.
        member: the member's file name without ending, ``00017``; None where no member is trained.
        of: the number of epochs of this training, where the log holds it.
    """

    epoch: int
    time: float | None
    values: dict[str, float]
    member: str | None = None
    of: int | None = None


@dataclass(frozen=True)
class Log:
    """A log as it was when it was read; its last line may be incomplete."""

    text: str
    time: float  # of its last change, seconds since 1970

    @cached_property
    def epochs(self) -> list[Epoch]:
        """All epochs, in the order in which they were done."""
        found = [match for pattern in _EPOCHS for match in pattern.finditer(self.text)]
        return [_epoch(match.groupdict()) for match in sorted(found, key=re.Match.start)]

    @cached_property
    def warnings(self) -> list[str]:
        """The first line of each distinct warning, without its time and place."""
        return list(dict.fromkeys(match["text"].strip() for match in _WARNING.finditer(self.text)))

    @cached_property
    def error(self) -> str | None:
        """The error that ended the job, on one line; None where it still runs, ended well or was stopped."""
        _, failed, text = self.text.rpartition(FAILED)
        if not failed:
            return None
        lines = text.rstrip().splitlines()[1:]
        frames = [place for place, line in enumerate(lines) if line.startswith('  File "')]
        if frames:  # after the last frame, of which the lines of code are indented by four, comes the error
            lines = list(dropwhile(lambda line: line.startswith("    "), lines[frames[-1] + 1 :]))
        return " ".join(line.strip() for line in lines if not line.startswith("Traceback")) or "no message"

    @cached_property
    def steps(self) -> list[Step]:
        """The steps of a run, where this is the file of ``wsl.watch.steps``."""
        return parse_steps(self.text)


class Logs:
    """Reads logs, and each again only once it has changed.

    Args:
        folder: the folder to which their paths are relative.
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
        except OSError:  # a restarted job or a manual clean-up
            return None
        return self._read[path][1]


def _epoch(found: dict[str, str | None]) -> Epoch:
    moment, epoch, member, of = (found.pop(key, None) for key in ("time", "epoch", "member", "of"))
    return Epoch(
        int(epoch),
        datetime.fromisoformat(moment).timestamp(),
        {name: float(value) for name, value in found.items()},
        None if member is None else f"{int(member):05d}",
        None if of is None else int(of),
    )
