"""The progress of a job: states to resume from after a kill, and the history of its epochs for those who watch it."""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from wsl.errors import DataError
from wsl.files import written_whole

log = logging.getLogger(__name__)
SECONDS = 30.0  # between two saved states


class Progress:
    """Saves states of a job in a hidden folder beside its output, and appends a JSON line per epoch to its history.

    Args:
        out: the job's output.
        key: everything that the job's result depends on, as JSON; a state saved under another key is not resumed.
        seconds: shortest time between two saved states of one part of the job; a kill loses no more than that.
        history: the history file; None: no history is written.
    """

    def __init__(self, out: str | Path, key: Any, seconds: float = SECONDS, history: str | Path | None = None):
        out = Path(out)
        self.folder = out.with_name(f".{out.name}.progress")
        self.key = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
        self.seconds = seconds
        self.history = None if history is None else Path(history)
        self._begun, self._saved = time.monotonic(), {}
        if self.history and not self.folder.is_dir():  # the job starts from the beginning
            with suppress(OSError):
                self.history.unlink(missing_ok=True)

    def load(self, part: str = "whole", device: str = "cpu") -> dict[str, Any] | None:
        """Return the last state of a part of the job; None if there is no state of this key."""
        import torch

        path = self.folder / f"{part}.pt"
        if not path.is_file():
            return None
        try:
            saved = torch.load(path, map_location=device, weights_only=True)
        except Exception as error:  # unpickling a damaged or hostile file can raise anything
            log.warning("%s cannot be read (%s): the job starts from the beginning", path, error)
            return None
        if saved["key"] != self.key:
            log.info("%s belongs to other settings, data or code: the job starts from the beginning", path)
            return None
        log.info("resuming from %s", path)
        return saved["state"]

    def save(self, state: Callable[[], dict[str, Any]], part: str = "whole", now: bool = False) -> None:
        """Save a state, unless the last one is more recent than ``seconds``.

        Args:
            state: returns tensors and plain values.
            part: the part of the job.
            now: save it in any case.
        """
        import torch

        if not now and time.monotonic() - self._saved.get(part, self._begun) < self.seconds:
            return
        # Through a Python file: torch's own writer does not report a full disk.
        with written_whole(self.folder / f"{part}.pt") as temporary, open(temporary, "wb") as file:
            torch.save({"key": self.key, "state": state()}, file)
        self._saved[part] = time.monotonic()

    def remove(self) -> None:
        """Delete all states: the job is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def report(self, epoch: int, epochs: int, values: Mapping[str, float], member: str | None = None) -> None:
        """Append an epoch to the history; a disk that is full does not fail the job.

        Args:
            epoch: its number.
            epochs: number of epochs of this training.
            values: losses and accuracies by name.
            member: name of the member that is trained, if it is one.
        """
        if self.history is None:
            return
        name = {} if member is None else {"member": member}
        row = {"time": round(time.time(), 3), **name, "epoch": epoch, "epochs": epochs, **values}
        with suppress(OSError), open(self.history, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def cut_history(self, epoch: int, member: str | None = None) -> None:
        """Remove rows after ``epoch`` from the history, which are about to be trained again, and a partial last line.

        Args:
            epoch: last epoch to keep; -1: none.
            member: remove rows of this member only.
        """
        if self.history is None:
            return
        with suppress(OSError, DataError):
            text = self.history.read_text(encoding="utf-8", errors="replace")
            rows = [row for row in history_rows(text) if row.get("member") != member or row["epoch"] <= epoch]
            whole = "".join(json.dumps(row) + "\n" for row in rows)
            if whole != text:
                with written_whole(self.history) as temporary:
                    temporary.write_text(whole, encoding="utf-8")


class _Nowhere(Progress):
    """Saves nothing."""

    def __init__(self):
        super().__init__("nowhere", None)

    def load(self, part: str = "whole", device: str = "cpu") -> None:
        return None

    def save(self, state: Callable[[], dict[str, Any]], part: str = "whole", now: bool = False) -> None:
        pass


NOWHERE = _Nowhere()


def history_of(log: str) -> str:
    """Return the path of a job's history, which lies beside its log."""
    return f"{log.removesuffix('.log')}.jsonl"


def history_rows(text: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a history; lines that are not complete yet are left out."""
    for line in text.splitlines():
        with suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict) and "epoch" in row:
                yield row
