"""The learning curves of a run, from the histories of its jobs."""

from collections.abc import Iterator
from dataclasses import dataclass

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
        by_member: dict[str | None, list[Epoch]] = {}
        for epoch in history.epochs if history else ():
            by_member.setdefault(epoch.member, []).append(epoch)
        for member, epochs in by_member.items():
            name = f"members/{member}" if member else seen.job.name
            yield Curve(name, epochs, seen.status == "done", history.time)
