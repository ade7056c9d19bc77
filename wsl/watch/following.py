"""Follow a run until it is over: on a terminal, in lines elsewhere, and in event files."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.live import Live

from wsl.watch.curves import curves
from wsl.watch.events import Events
from wsl.watch.logs import Logs
from wsl.watch.record import read_record
from wsl.watch.screen import describe_failure, draw, line
from wsl.watch.state import State, look

ON_A_TERMINAL, ELSEWHERE = 2.0, 60.0  # seconds between two looks


def looks(results: Path, tensorboard: Path | None = None) -> Iterator[State]:
    """Look at a run again and again, until it is over, and keep event files up to date.

    Args:
        results: the run's folder.
        tensorboard: a folder for event files of this run and others; None: there are none.

    Raises:
        ConfigError: event files are wanted, and TensorBoard is not installed.
        DataError: the run has not started.
    """
    logs = Logs(results)
    events = None if tensorboard is None else Events(tensorboard / results.resolve().name)
    try:
        over = False
        while not over:
            state = look(results, read_record(results), logs)
            if events is not None:
                events.write(curves(results, state, logs))
            yield state
            over = state.over
    finally:
        if events is not None:
            events.close()


def follow(results: Path, states: Iterator[State], console: Console, every: float | None = None) -> State:
    """Show a run until it is over, and return its last state.

    Args:
        results: the run's folder.
        states: see ``looks``.
        console: if it is no terminal, it gets a line a look and no control codes.
        every: seconds between two looks; None: few on a terminal, many elsewhere.
    """
    if not console.is_terminal:
        return _shown(states, _Lines(results, console), ELSEWHERE if every is None else every)
    name = results.resolve().name
    with Live(console=console, auto_refresh=False) as live:
        return _shown(
            states,
            lambda state: live.update(draw(name, state), refresh=True),
            ON_A_TERMINAL if every is None else every,
        )


def _shown(states: Iterator[State], show: Callable[[State], None], every: float) -> State:
    for state in states:
        show(state)
        if not state.over:
            time.sleep(every)
    return state


class _Lines:
    """Says how far a run is in a line each time, and of each failure once."""

    def __init__(self, results: Path, console: Console):
        self.results, self.console = results, console
        self._told: set[str] = set()

    def __call__(self, state: State) -> None:
        failures = {describe_failure(seen, self.results) for seen in state.of("failed")}
        for text in (*sorted(failures - self._told), f"{time.strftime('%H:%M:%S')} {line(state)}"):
            self.console.print(text, highlight=False, soft_wrap=True, markup=False)
        self._told = failures
