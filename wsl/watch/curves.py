"""Learning curves of all that a run trains: from logs while it is trained, from histories once it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pandas.api.types import is_float_dtype

from wsl.errors import DataError
from wsl.files import get_table
from wsl.watch.logs import Epoch, Logs
from wsl.watch.state import State
from wsl.zoo.member import open_member


@dataclass(frozen=True)
class Curve:
    """A learning curve.

    Attributes:
        name: ``members/00017``, or the job's, ``train_shared``.
        said: its epochs in the log, with as many digits as are written there.
        history: the file with its exact values; None as long as there is none.
        done: whether no epoch will follow.
        version: another one is of another training.
    """

    name: str
    said: list[Epoch]
    history: Path | None
    done: bool
    version: float | None

    def epochs(self) -> list[Epoch]:
        """Return its epochs, exact where there is a history.

        Raises:
            DataError: the history is damaged, or vanished meanwhile.
        """
        if self.history is None:
            return self.said
        try:
            table = _read(self.history)
            numbers = table["epoch"]
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{self.history} is no history: {error}") from error
        if not numbers.is_unique:  # of several trainings: no curve
            return self.said
        times = {epoch.epoch: epoch.time for epoch in self.said}
        values = table[[name for name in table if is_float_dtype(table[name])]]
        return [
            Epoch(int(number), times.get(int(number)), row.dropna().to_dict())
            for number, (_, row) in zip(numbers, values.iterrows(), strict=True)
        ]


def curves(results: str | Path, state: State, logs: Logs) -> Iterator[Curve]:
    """Yield the curves of a run as far as they are there."""
    results = Path(results)
    for seen in state.jobs:
        if seen.status == "waiting":  # what lies there may be of another training
            continue
        log, done = logs.read(seen.job.log), seen.status == "done"
        said, version = (log.epochs, log.time) if log else ([], None)
        members = [path for path in seen.job.outputs if path in state.record.members]
        for path in members:
            own = [epoch for epoch in said if epoch.member == Path(path).stem]
            yield Curve(f"members/{Path(path).stem}", own, results / path if done else None, done, version)
        if not members and (said or seen.job.history):
            history = results / seen.job.history if seen.job.history and done else None
            yield Curve(seen.job.name, said, history, done, version)


def _read(path: Path) -> pd.DataFrame:
    if path.suffix != ".h5":
        return pd.read_csv(path)
    with open_member(path) as file:
        return get_table(file, "history")
