"""States of a job to resume from after a kill."""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wsl.files.atomic import written_whole
from wsl.jobs.history import History

log = logging.getLogger(__name__)
SECONDS = 30.0  # between two saved states


class Progress:
    """Saves states of a job in a hidden folder beside its output.

    Args:
        out: the job's output; None: no state is saved.
        key: everything that the job's result depends on, as JSON; a state saved under another key is not resumed.
        seconds: shortest time between two saved states of one part of the job, the most that a kill loses.
        history: history of its epochs; None: none is written.

    Attributes:
        earlier: seconds of work before a kill that the loaded state holds.
    """

    def __init__(self, out: str | Path | None, key: Any, seconds: float = SECONDS, history: History | None = None):
        self.folder = None if out is None else Path(out).with_name(f".{Path(out).name}.progress")
        self.key = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
        self.seconds = seconds
        self.history = History(None) if history is None else history
        self.earlier = 0.0
        self._begun, self._saved = time.monotonic(), {}
        if self.folder and not self.folder.is_dir():  # the job starts from the beginning
            self.history.clear()

    def load(self, part: str = "whole", device: str = "cpu") -> dict[str, Any] | None:
        """Return the last state of a part of the job; None if there is no state of this key."""
        import torch

        path = self.folder and self.folder / f"{part}.pt"
        if not path or not path.is_file():
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
        self.earlier = max(self.earlier, saved["seconds"])
        return saved["state"]

    def save(self, state: Callable[[], dict[str, Any]], part: str = "whole", now: bool = False) -> None:
        """Save a state, unless the last one is more recent than ``seconds``.

        Args:
            state: returns tensors and plain values.
            part: the part of the job.
            now: save it in any case.
        """
        import torch

        recent = time.monotonic() - self._saved.get(part, self._begun) < self.seconds
        if not self.folder or (recent and not now):
            return
        # Through a Python file: torch's own writer does not report a full disk.
        with written_whole(self.folder / f"{part}.pt") as temporary, open(temporary, "wb") as file:
            seconds = self.earlier + time.monotonic() - self._begun
            torch.save({"key": self.key, "seconds": seconds, "state": state()}, file)
        self._saved[part] = time.monotonic()

    def remove(self) -> None:
        """Delete all states: the job is done."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


NOWHERE = Progress(None, None)
