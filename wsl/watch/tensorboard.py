"""Learning curves of a run as event files, written by TensorBoard's own writer, which needs no torch."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsl.errors import ConfigError
from wsl.files.packages import install_hint
from wsl.jobs.history import history_of
from wsl.watch.state import Epoch, Logs, State


@dataclass(frozen=True)
class Curve:
    """A learning curve.

    Attributes:
        name: ``members/00017``, or the name of the job, ``train_shared``.
        epochs: its epochs.
        done: whether no epoch will follow.
        version: changes when the history changes.
    """

    name: str
    epochs: list[Epoch]
    done: bool
    version: float


def curves(state: State, logs: Logs) -> Iterator[Curve]:
    """Yield the curves of a run so far; ``logs`` reads the histories."""
    for seen in state.jobs:
        history = None if seen.status == "waiting" else logs.read(history_of(seen.job.log))
        names = dict.fromkeys(epoch.member for epoch in history.epochs) if history else ()
        for member in names:
            epochs = [epoch for epoch in history.epochs if epoch.member == member]
            name = f"members/{member}" if member else seen.job.name
            yield Curve(name, epochs, seen.status == "done", history.time)


class Events:
    """Event files in a folder: one TensorBoard run per curve, each value of each epoch once.

    Values that the files already contain are not written again. An epoch that is trained again, after a kill or with
    other settings, replaces the old one and all later epochs.

    Args:
        folder: created if it does not exist.

    Raises:
        ConfigError: TensorBoard is not installed.
    """

    def __init__(self, folder: str | Path):
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError as error:
            needed = f"TensorBoard is needed to write event files ({error}); {install_hint('trackers')}"
            raise ConfigError(needed) from error
        self.folder = Path(folder)
        self._event, self._summary, self._new_writer = event_pb2, summary_pb2, EventFileWriter
        self._writers: dict[str, Any] = {}
        self._written: dict[str, dict[tuple[int, str], float]] = {}  # end of each epoch, by epoch and tag
        self._closed: dict[str, float] = {}

    def write(self, curves: Iterable[Curve]) -> None:
        """Write new values of curves."""
        for curve in curves:
            if self._closed.get(curve.name) == curve.version:
                continue
            for epoch in curve.epochs:
                self._write(curve.name, epoch)
            if curve.done:
                self._close(curve.name)
                self._closed[curve.name] = curve.version
            elif curve.name in self._writers:
                self._writers[curve.name].flush()

    def close(self) -> None:
        """Close all files."""
        for name in list(self._writers):
            self._close(name)

    def _write(self, name: str, epoch: Epoch) -> None:
        if name not in self._written:
            self._written[name] = _read(self.folder / name)
        written = self._written[name]
        old = [end for (number, _), end in written.items() if number == epoch.epoch]
        if old and epoch.time > max(old):
            self._add(name, epoch, session_log=self._event.SessionLog(status=self._event.SessionLog.START))
            written = self._written[name] = {key: end for key, end in written.items() if key[0] < epoch.epoch}
        # `train_loss` gets the tag `loss/train`, so that TensorBoard groups both parts.
        tagged = {"/".join(reversed(key.split("_", 1))): value for key, value in epoch.values.items()}
        new = {tag: value for tag, value in tagged.items() if (epoch.epoch, tag) not in written}
        if new:
            values = [self._summary.Summary.Value(tag=tag, simple_value=value) for tag, value in new.items()]
            end = self._add(name, epoch, summary=self._summary.Summary(value=values))
            written.update(dict.fromkeys(((epoch.epoch, tag) for tag in new), end))

    def _add(self, name: str, epoch: Epoch, **content: Any) -> float:
        if name not in self._writers:
            self._writers[name] = self._new_writer(str(self.folder / name))
        event = self._event.Event(step=epoch.epoch, wall_time=epoch.time, **content)
        self._writers[name].add_event(event)
        return event.wall_time

    def _close(self, name: str) -> None:
        if name in self._writers:
            self._writers.pop(name).close()


def _read(folder: Path) -> dict[tuple[int, str], float]:
    """Return the end of each epoch in the event files, by epoch and tag."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    ends: dict[tuple[int, str], float] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in LegacyEventFileLoader(str(path)).Load():
            if event.HasField("session_log"):
                ends = {key: end for key, end in ends.items() if key[0] < event.step}
            ends |= {(event.step, value.tag): event.wall_time for value in event.summary.value}
    return ends
