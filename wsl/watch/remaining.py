"""The time that a run still needs.

Each job that is not done gets an expected duration: from jobs of its rule that ended in this start, else from jobs of
its rule in earlier starts and other runs, else the typical duration of the other rules. The duration of a training is a
fixed part plus a time per epoch; a running training needs the epochs that its history does not list yet. The jobs are
then scheduled on the cores or devices as in Snakemake: each starts when the jobs that it needs are done and its share
is free. The end of the last job gives the time left. It is unknown until enough jobs have a duration of their own rule.
"""

import heapq
import math
from bisect import insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median

from wsl.watch.record import STEPS, Record, durations, read_record, rule_of
from wsl.watch.state import Epoch, Logs, Seen, State, look, trained

KNOWN = 1 / 3  # least fraction of jobs that are done or have a duration of their own rule; with less, time is unknown
AHEAD = 64  # most ready jobs that are skipped in the search for one whose share is free
MEMORY = 30.0  # seconds in which the shown estimate follows a new one by 63 %


@dataclass
class _Rule:
    """Durations of the jobs of one rule in this start."""

    jobs: list[tuple[float, int]] = field(default_factory=list)  # seconds and planned epochs of each finished job
    spans: list[tuple[float, int]] = field(default_factory=list)  # seconds and epochs from the first to the last epoch
    starts: list[float] = field(default_factory=list)  # seconds from the start of a job to its first epoch

    @property
    def pace(self) -> float | None:
        """Seconds per epoch."""
        count = sum(epochs for _, epochs in self.spans)
        return sum(seconds for seconds, _ in self.spans) / count if count else None

    def expected(self, epochs: int) -> float | None:
        """Return the expected seconds of a job that trains for ``epochs`` epochs; None: unknown."""
        pace = self.pace if epochs else None
        if pace is None:
            return fmean(seconds for seconds, _ in self.jobs) if self.jobs else None
        fixed = [seconds - pace * count for seconds, count in self.jobs] or [start - pace for start in self.starts]
        return max(fmean(fixed), 0.0) + pace * epochs if fixed else None


class Remaining:
    """Estimates how long a run still takes.

    Args:
        results: the run's folder; other runs in the same parent folder give durations of the same rules.
    """

    def __init__(self, results: str | Path):
        self._history = _history(Path(results))

    def __call__(self, state: State) -> float | None:
        """Return the expected seconds until the run is complete; None: unknown."""
        ahead = [place for place, seen in enumerate(state.jobs) if seen.job.due and seen.status != "done"]
        if not ahead:
            return 0.0
        rules: dict[str, _Rule] = {}
        for seen in state.jobs:
            _learn(rules.setdefault(seen.job.rule, _Rule()), seen, state.record)
        known = {}
        for place in ahead:
            seen = state.jobs[place]
            seconds = rules[seen.job.rule].expected(_planned(seen, state.record))
            seconds = self._history.get(seen.job.rule) if seconds is None else seconds
            if seconds is not None:
                known[place] = seconds
        count = sum(seen.job.due for seen in state.jobs)
        now = {name: fmean(seconds for seconds, _ in rule.jobs) for name, rule in rules.items() if rule.jobs}
        means = {**self._history, **now}
        if count - len(ahead) + len(known) < KNOWN * count or not means:
            return None
        typical = median(means.values())
        needed = {}
        for place in ahead:
            seen, seconds = state.jobs[place], known.get(place, typical)
            needed[place] = _still(seen, seconds, rules[seen.job.rule].pace, state)
        return _makespan(state.jobs, needed)


class Steady:
    """Smooths estimates, so that one unusual job does not make the shown estimate jump."""

    def __init__(self):
        self._end: float | None = None
        self._time = 0.0

    def __call__(self, left: float | None, now: float) -> float | None:
        """Return the seconds left to show, for a new estimate (None: unknown) at a time in seconds."""
        if left is None:
            self._end = None
            return None
        if self._end is None:
            self._end = now + left
        self._end += (now + left - self._end) * -math.expm1(-(now - self._time) / MEMORY)
        self._time = now
        return max(self._end - now, 0.0)


def timer(results: str | Path) -> Callable[[State], State]:
    """Return a function that adds the smoothed time left to states of the run in a folder."""
    remaining, steady = Remaining(results), Steady()
    return lambda state: replace(state, left=steady(remaining(state), state.time))


def looks(results: Path, update: Callable[[State, Logs], None] | None = None) -> Iterator[State]:
    """Yield the states of the run in a folder until it has ended; ``update`` is called with each one before.

    Raises:
        DataError: the run has not started.
    """
    logs, timed, over = Logs(results), timer(results), False
    while not over:
        state = timed(look(results, read_record(results), logs))
        if update is not None:
            update(state, logs)
        yield state
        over = state.over


def _learn(rule: _Rule, seen: Seen, record: Record) -> None:
    """Add the durations of a job of this start to its rule."""
    if not seen.job.due or seen.since is None:
        return
    if seen.seconds is not None:
        rule.jobs.append((seen.seconds, _planned(seen, record)))
    # A resumed job also has epochs from before this start.
    moments = [epoch.time for epoch in _epochs(seen) if epoch.time >= seen.since]
    if moments:
        rule.starts.append(max(moments[0] - seen.since, 0.0))
    if len(moments) > 1:
        rule.spans.append((moments[-1] - moments[0], len(moments) - 1))


def _epochs(seen: Seen) -> list[Epoch]:
    return [epoch for epoch in seen.epochs if epoch.epoch]


def _planned(seen: Seen, record: Record) -> int:
    """Return the number of epochs that a job trains for, summed over its members; 0: unknown."""
    members = trained(seen.job, record)
    if members:
        return sum(planned.epochs for planned in members.values())
    return next((epoch.epochs for epoch in _epochs(seen)), 0)


def _still(seen: Seen, seconds: float, pace: float | None, state: State) -> float:
    """Return the seconds that a job still needs, if it takes ``seconds`` in total."""
    if seen.status != "running":
        return seconds
    done, planned = _epochs(seen), _planned(seen, state.record)
    if planned and done and pace is not None:
        reached = {epoch.member: epoch.epoch for epoch in done}
        since_last = max(state.time - done[-1].time, 0.0)
        return max(pace * (planned - sum(reached.values())) - min(since_last, pace), 0.0)
    spent = state.time - (state.time if seen.since is None else seen.since)
    return max(seconds - spent, 0.1 * spent)  # a job that takes longer than expected need not end soon


def _makespan(jobs: Sequence[Seen], needed: Mapping[int, float]) -> float:
    """Return the seconds until the last job ends, if each starts once its needs are done and its share is free.

    ``needed`` are the seconds that each unfinished job still takes, by its position in the chain.
    """
    waits = {place: sum(need in needed for need in jobs[place].job.needs) for place in needed}
    after: dict[int, list[int]] = {}
    for place in needed:
        for need in jobs[place].job.needs:
            after.setdefault(need, []).append(place)
    # Running jobs come first, then the others in the order of the chain.
    ready = sorted((jobs[place].status != "running", place) for place, count in waits.items() if not count)
    running: list[tuple[float, int]] = []
    now, free = 0.0, 1.0
    while ready or running:
        held = 0  # ready jobs at the front whose share is not free
        while held < min(len(ready), AHEAD):
            _, place = ready[held]
            share = jobs[place].job.share
            if share > free + 1e-9 and running:
                held += 1
                continue
            ready.pop(held)
            free -= share
            heapq.heappush(running, (now + needed[place], place))
        now, place = heapq.heappop(running)
        free += jobs[place].job.share
        for follower in after.get(place, ()):
            waits[follower] -= 1
            if not waits[follower]:
                insort(ready, (True, follower))
    return now


def _history(results: Path) -> dict[str, float]:
    """Return the mean seconds of each rule's jobs: in this run's earlier starts, else in the run changed last."""
    runs = [path.parents[1] for path in results.resolve().parent.glob(f"*/{STEPS}")]
    runs.sort(key=lambda run: (run == results.resolve(), (run / STEPS).stat().st_mtime))
    means: dict[str, float] = {}
    for run in runs:
        log = Logs(run).read(STEPS)
        rules: dict[str, list[float]] = {}
        for job, seconds in durations(log.steps if log else ()).items():
            rules.setdefault(rule_of(job), []).append(seconds)
        means |= {rule: fmean(values) for rule, values in rules.items()}
    return means
