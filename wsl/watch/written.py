"""What a tracker has been given already: a file of JSON lines beside its data, so that nothing is written twice."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from wsl.watch.curves import Curve
from wsl.watch.state import Epoch


@dataclass(frozen=True)
class News:
    """What a tracker does not have yet of a curve.

    Attributes:
        curve: the curve so far.
        attempt: 1, or more if the tracker already has epochs that were trained again since, see ``Written``.
        epochs: the new epochs; all epochs of the curve, if the attempt is new; none, if only its end is new.
        begins: whether the tracker has nothing of this attempt.
    """

    curve: Curve
    attempt: int
    epochs: Sequence[Epoch]
    begins: bool

    @property
    def title(self) -> str:
        """The name of the curve and, from the second attempt on, its number."""
        return titled(self.curve.name, self.attempt)


def titled(name: str, attempt: int) -> str:
    """Return the name of an attempt."""
    return name if attempt == 1 else f"{name} ({attempt})"


class Written:
    """What a tracker has been given.

    Most trackers cannot replace values. If the last epoch that the tracker has is not in the history any more, the
    training was repeated from there. The curve then starts again as another attempt.

    Args:
        path: the file; missing folders are created when something is added.
        place: where the tracker's data goes; other places do not have what this one has.
    """

    def __init__(self, path: str | Path, place: str = ""):
        self.path, self.place = Path(path), place
        self._last: dict[str, dict] = {}
        self.rows = 0  # number of epochs of all curves, and of results
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        self._whole = text.endswith("\n") or not text
        for line in text.splitlines():
            with suppress(ValueError):  # the last line of a killed process
                self._count(json.loads(line))

    @property
    def key(self) -> str:
        """A random name of this place, the same in every later process."""
        if "key" not in self._last:
            self._add(name="key", key=uuid4().hex[:8])
        return self._last["key"]["key"]

    def news(self, curve: Curve) -> News | None:
        """Return what is new in a curve that has epochs; None: nothing."""
        last = self._last.get(f"curve {curve.name}")
        if last is None:
            return News(curve, 1, curve.epochs, True)
        ends = [(epoch.epoch, epoch.time) for epoch in curve.epochs]
        if (last["epoch"], last["time"]) not in ends:
            return News(curve, last["attempt"] + 1, curve.epochs, True)
        new = curve.epochs[ends.index((last["epoch"], last["time"])) + 1 :]
        return News(curve, last["attempt"], new, False) if new or curve.done > last["done"] else None

    def add(self, news: News) -> None:
        """Note that the tracker has these epochs."""
        last = news.curve.epochs[-1]
        about = {"epoch": last.epoch, "time": last.time, "done": news.curve.done}
        self._add(name=f"curve {news.curve.name}", attempt=news.attempt, rows=len(news.epochs), **about)

    def attempt_of_results(self, digest: str) -> int | None:
        """Return the attempt as which results with this digest are to be written; None: the tracker has them."""
        last = self._last.get("results", {"attempt": 0, "digest": None})
        return None if last["digest"] == digest else last["attempt"] + 1

    def add_results(self, digest: str, attempt: int) -> None:
        """Note that the tracker has these results."""
        self._add(name="results", attempt=attempt, digest=digest, rows=1)

    def _add(self, **row: object) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        row = {"place": self.place, **row}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{'' if self._whole else chr(10)}{json.dumps(row)}\n")
        self._whole = True
        self._count(row)

    def _count(self, row: dict) -> None:
        if row["place"] == self.place:
            self._last[row["name"]] = row
            self.rows += row.get("rows", 0)
