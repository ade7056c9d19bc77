"""Keep trackers up to date with a run, from its histories and, at its end, from its results."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from wsl.errors import ConfigError, DataError
from wsl.files.hdf5 import get_table, open_hdf5, part_of
from wsl.files.plain import file_digest, read_json
from wsl.paths import Paths
from wsl.watch.curves import curves
from wsl.watch.state import Logs, State
from wsl.watch.trackers.base import TRACKERS, Results, Tracker, numbers_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

PARTS = ("train", "validation", "test", "unseen")
MOST_POINTS = 10_000  # more are slow in the Projector
SHOWN = ("part", "member", "task", "snapshot", "epoch", "validation_accuracy")  # of snapshots
COLUMN = ["run", "regime", "classes", "images", "epochs"]  # methods with the same values are compared


class Tracking:
    """Keeps trackers up to date with a run.

    Args:
        results: the run's folder.
        trackers: of the run, open.
    """

    def __init__(self, results: str | Path, trackers: Sequence[Tracker]):
        self.results, self.trackers = Path(results), trackers
        self._versions: dict[str, tuple[float, bool]] = {}

    def update(self, state: State, logs: Logs) -> None:
        """Write what is new in the histories.

        Raises:
            DataError: a tracker fails, for example because its server cannot be reached.
        """
        for curve in curves(state, logs):
            version = curve.version, curve.done
            if self._versions.get(curve.name) == version:
                continue
            for tracker in self.trackers:
                news = tracker.written.news(curve)
                if news is not None:
                    with _named(tracker):
                        tracker.log(news)
                    tracker.written.add(news)
            self._versions[curve.name] = version

    def finish(self, config: Mapping[str, Any]) -> None:
        """Write the results of the finished run, if they have changed.

        Args:
            config: all its keys; empty: unknown.

        Raises:
            DataError: a tracker fails, or a file of the run is damaged.
        """
        paths = Paths(str(self.results))
        digest = _digest(paths, config)
        attempts = {tracker: tracker.written.attempt_of_results(digest) for tracker in self.trackers}
        if not any(attempts.values()):
            return
        results = read_results(paths, config, digest)
        for tracker, attempt in attempts.items():
            if attempt is not None:
                with _named(tracker):
                    tracker.finish(results, attempt)
                tracker.written.add_results(digest, attempt)


@contextmanager
def tracking(results: str | Path, names: Sequence[str], out: str | Path) -> Iterator[Tracking]:
    """Open trackers by name for the run in a folder; their local data lies in ``out``, in a folder per tracker.

    Raises:
        ConfigError: a name is unknown, a tool is not installed, or another process writes to the same place.
        DataError: a tool cannot be started or completed.
    """
    run, chosen = Path(results).resolve().name, {name: TRACKERS[name] for name in names}
    with ExitStack() as stack:
        trackers = []
        for name, kind in chosen.items():
            folder = Path(out, name)
            stack.enter_context(_locked(folder / run / ".lock"))
            with _named(kind):
                tracker = kind(folder, run)
            trackers.append(tracker)
            stack.callback(_close, tracker)
        yield Tracking(results, trackers)


def read_results(paths: Paths, config: Mapping[str, Any], digest: str) -> Results:
    """Return the results of a finished run; what it does not have is left out.

    Raises:
        DataError: a file is damaged.
    """
    import pandas as pd

    numbers = numbers_of(read_json(paths.summary)) if Path(paths.summary).is_file() else {}
    tables = {}
    if Path(paths.table("accuracy")).is_file():
        tables["accuracy"] = with_strongest(pd.read_csv(paths.table("accuracy")))
    return Results(digest, config, numbers, tables, *_latents(paths))


def with_strongest(accuracy: "pd.DataFrame") -> "pd.DataFrame":
    """Return the table of accuracies with a column that marks the strongest baseline of each comparison."""
    from wsl.figures.methods import strongest_baseline

    marked = accuracy.assign(strongest_baseline=False)
    for _, rows in accuracy.groupby([name for name in COLUMN if name in accuracy], dropna=False):
        best = strongest_baseline(dict(zip(rows["sampler"], rows["accuracy"], strict=True)))
        marked.loc[rows.index[rows["sampler"] == best], "strongest_baseline"] = True
    return marked


def _latents(paths: Paths) -> "tuple[np.ndarray, pd.DataFrame] | tuple[None, None]":
    """Return finite latents of snapshots in the class order of their tasks, and their table; None: there are none."""
    import numpy as np
    import pandas as pd

    latents, tables = [], []
    for path in map(paths.latents, PARTS):
        if Path(path).is_file():
            with open_hdf5(path) as file:
                values, table = file["latents"][...], get_table(file, "snapshots")
            kept = (table["order"] == 0).to_numpy() & np.isfinite(values).all(axis=1)
            latents.append(values[kept])
            tables.append(table[kept].assign(part=part_of(path)))
    if not latents:
        return None, None
    values, table = np.concatenate(latents), pd.concat(tables, ignore_index=True)
    step = -(-len(values) // MOST_POINTS) or 1
    shown = table.loc[::step, [name for name in SHOWN if name in table]]
    return values[::step], shown.assign(member=shown["member"].map("{:05d}".format))


def _digest(paths: Paths, config: Mapping[str, Any]) -> str:
    files = [paths.summary, paths.table("accuracy"), *map(paths.latents, PARTS)]
    found = [file_digest(path) for path in files if Path(path).is_file()]
    return hashlib.sha256(json.dumps([config, found], sort_keys=True, default=str).encode()).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, blocking=False):
            yield
    except Timeout as error:
        raise ConfigError(
            f"another `wsl track` writes to {path.parent}; let it end, or name another folder by --out"
        ) from error


@contextmanager
def _named(tracker: "Tracker | type[Tracker]") -> Iterator[None]:
    """Turn errors of a tool into one that names it, without passwords in addresses."""
    try:
        yield
    except (ConfigError, DataError, OSError):
        raise
    except Exception as error:
        reason = re.sub(r"//[^/@\s]+@", "//", str(error).strip().partition("\n")[0])
        raise DataError(
            f"{tracker.name} failed ({type(error).__name__}: {reason}); what it has already is noted, so start "
            "`wsl track` again when the cause is fixed"
        ) from error


def _close(tracker: Tracker) -> None:
    with _named(tracker):
        tracker.close()
