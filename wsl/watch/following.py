"""Follow a run until it is over: on a terminal, in lines elsewhere, and in event files."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from wsl.watch.curves import curves
from wsl.watch.events import Events
from wsl.watch.logs import Logs
from wsl.watch.record import read_record
from wsl.watch.remaining import Timed
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
    timed = Timed(results)
    events = None if tensorboard is None else Events(tensorboard / results.resolve().name)
    try:
        over = False
        while not over:
            state = timed(look(results, read_record(results), logs))
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
        console: if it is not a terminal, it gets one line per look and no control codes.
        every: seconds between two looks; None: few on a terminal, many elsewhere.
    """
    with View(results.resolve().name, results, console) as view:
        for state in states:
            view(state)
            if not state.over:
                time.sleep(view.every if every is None else every)
    return state


class View(AbstractContextManager):
    """Shows states of a run as they come: in one place on a terminal, in lines elsewhere.

    Args:
        name: what to call the run.
        results: its folder.
        console: if it is not a terminal, it gets no control codes.
        transient: whether a terminal forgets the last state at the end.
    """

    def __init__(self, name: str, results: Path, console: Console, transient: bool = False):
        self.every = ON_A_TERMINAL if console.is_terminal else ELSEWHERE
        self._name = name
        self._live = Live(console=console, auto_refresh=False, transient=transient) if console.is_terminal else None
        self._show: Callable[[State], None] = _Lines(results, console) if self._live is None else self._draw

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, state: State) -> None:
        """Show a state."""
        self._show(state)

    def note(self, text: str) -> None:
        """Show a text in place of a state, on a terminal."""
        if self._live is not None:
            self._live.update(Text.assemble((self._name, "bold"), f": {text}"), refresh=True)

    def _draw(self, state: State) -> None:
        self._live.update(draw(self._name, state), refresh=True)


class _Lines:
    """Prints how far a run is, in one line each time, and each failure and each warning once."""

    def __init__(self, results: Path, console: Console):
        self.results, self.console = results, console
        self._failed: set[str] = set()
        self._warned: set[str] = set()

    def __call__(self, state: State) -> None:
        failures = {describe_failure(seen, self.results) for seen in state.of("failed")}
        warnings = {text: f"warning: {text} ({job})" for text, job in state.warnings.items()}
        new = [warnings[text] for text in warnings if text not in self._warned]
        for text in (*new, *sorted(failures - self._failed), f"{time.strftime('%H:%M:%S')} {line(state)}"):
            self.console.print(text, highlight=False, soft_wrap=True, markup=False)
        self._failed = failures
        self._warned |= set(warnings)
