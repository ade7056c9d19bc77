"""The history of a job's trainings: a file beside its log with one JSON line per epoch, which `wsl watch` reads."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from wsl.errors import DataError
from wsl.files.atomic import written_whole


class History:
    """Writes a history; a full disk, which jobs report elsewhere, does not fail the job.

    Args:
        path: the file; None: nothing is written.
    """

    def __init__(self, path: str | Path | None):
        self.path = None if path is None else Path(path)

    def add(self, epoch: int, epochs: int, values: Mapping[str, float], member: str | None = None) -> None:
        """Append the losses and accuracies of an epoch by name, see ``history_rows``.

        Args:
            epoch: number of the epoch; 0 is the untrained state.
            epochs: number of epochs of this training.
            values: losses and accuracies.
            member: name of the member, ``00017``; None for other trainings.
        """
        if self.path is None:
            return
        name = {} if member is None else {"member": member}
        row = {"time": round(time.time(), 3), **name, "epoch": epoch, "epochs": epochs, **values}
        with suppress(OSError), open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def cut(self, epoch: int, member: str | None = None) -> None:
        """Remove rows after ``epoch``, which will be trained again, and an incomplete last line.

        Args:
            epoch: last epoch to keep; -1: none.
            member: remove rows of this member only.
        """
        if self.path is None:
            return
        with suppress(OSError, DataError):
            text = self.path.read_text(encoding="utf-8", errors="replace")
            rows = [row for row in history_rows(text) if row.get("member") != member or row["epoch"] <= epoch]
            kept = "".join(json.dumps(row) + "\n" for row in rows)
            if kept != text:
                with written_whole(self.path) as temporary:
                    temporary.write_text(kept, encoding="utf-8")

    def clear(self) -> None:
        """Delete the file."""
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink()


def history_of(log: str) -> str:
    """Return the path of a job's history, from the path of its log."""
    return f"{log.removesuffix('.log')}.jsonl"


def history_rows(text: str) -> Iterator[dict[str, Any]]:
    """Yield the complete rows in the text of a history: ``time``, ``member``, ``epoch``, ``epochs`` and values."""
    for line in text.splitlines():
        with suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict) and {"time", "epoch", "epochs"} <= row.keys():
                yield row
