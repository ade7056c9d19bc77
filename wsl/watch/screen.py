"""The output of `wsl watch` and `wsl run`: tables on a terminal, lines elsewhere, JSON for programs."""

import math
import shlex
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wsl.jobs.process import stopped_in
from wsl.watch.record import FAILED, INTERRUPTED
from wsl.watch.state import COMPLETE, DELETED, KILLED, RUNNING, Seen, State

GB = 1e9
MOST = 8  # most rows for running jobs, for failed jobs and for warnings, so that they fit on a terminal
QUIET = 60.0  # seconds after which a job without messages is marked
ON_A_TERMINAL, ELSEWHERE = 2.0, 60.0  # seconds between two updates
ENDINGS = {
    FAILED: "failed after {}",
    INTERRUPTED: "interrupted after {}",
    KILLED: "Snakemake was killed after {} or more, and its jobs may still run",
}


def draw(name: str, state: State) -> Group:
    """Return the full screen of the state of a run with this name."""
    running = []
    for seen in state.of("running"):
        silent = max(state.time - seen.log.time, 0)
        wait = f" (no message for {span(silent)})" if silent > QUIET else ""
        running.append(f"{seen.job.name} {_epoch(seen)}{wait}")
    warnings = [f"{text} ({job})" for text, job in state.warnings.items()]
    failed = state.of("failed")
    return Group(
        Text.assemble((name, "bold"), f": {_progress(state)}"),
        _row(_timing(state)),
        _stages(state),
        *_block(Text("now"), running, ""),
        *_block(Text("warnings", style="yellow"), warnings, ", in logs/"),
        *(
            Text.assemble((f"{seen.job.name} failed: ", "bold red"), f"{reason(seen)} ({seen.job.log})")
            for seen in failed[:MOST]
        ),
        *([Text(f" and {len(failed) - MOST} more failed")] if failed[MOST:] else []),
    )


def _block(title: Text, lines: list[str], place: str) -> list[RenderableType]:
    """Return rows below a title; ``place`` is added to the count of the lines that are left out."""
    more = [_row(f"and {len(lines) - MOST} more{place}")] if lines[MOST:] else []
    return [title, *map(_row, lines[:MOST]), *more] if lines else []


def line(state: State) -> str:
    """Return a run's state in one line."""
    text, running = f"{_progress(state)}; {_timing(state)}", state.of("running")
    if running:
        text += f"; now {running[0].job.name} {_epoch(running[0])}".rstrip()
    return text + (f", and {len(running) - 1} more" if running[1:] else "")


def describe_failure(seen: Seen, folder: str | Path) -> str:
    """Return the error of a failed job and the path of its log."""
    return f"{seen.job.name} failed: {reason(seen)} ({Path(folder, seen.job.log)})"


def reason(seen: Seen) -> str:
    """Return the error of a failed job, on one line."""
    if seen.log is not None and stopped_in(seen.log.text):
        return "stopped from outside (cancelled, or at its time limit)"
    error = seen.log.error if seen.log else None
    return error or "its log contains no error (was it killed, or out of memory?)"


def advice(state: State, results: str | Path) -> str:
    """Return the commands that complete a run that has ended, with its results in this folder."""
    command = shlex.split(state.record.command)
    # Snakemake's arguments follow its name or, in a command `wsl run`, two dashes.
    place = 1
    if command[1:2] == ["run"]:
        command += [] if "--" in command else ["--"]
        place = command.index("--") + 1
    start, arguments = command[:place], command[place:]
    if state.phase == KILLED:
        unlock = shlex.join([*start, "--unlock", *arguments])
        return f"Resume: {state.record.command}\nIf Snakemake finds a lock: {unlock}"
    if state.phase != DELETED:
        return f"Resume: {state.record.command}"
    files = [Path(results, path).as_posix() for path in state.missing]
    listed = ", ".join(files[:MOST]) + (f" and {len(files) - MOST} more" if files[MOST:] else "")
    if files[MOST:]:
        # A list of all files would fill the screen. `--forcerun` is placed after targets, before Snakemake's options.
        rules = dict.fromkeys(seen.job.name.partition("/")[0] for seen in state.of("deleted"))
        place = next((place for place, argument in enumerate(arguments) if argument.startswith("-")), len(arguments))
        arguments[place:place] = ["--forcerun", *rules]
    else:
        arguments += [*(() if "--" in arguments or (place > 1 and not arguments) else ("--",)), *files]
    return f"Deleted since the run ended: {listed}\nMake again: {shlex.join([*start, *arguments])}"


def span(seconds: float) -> str:
    """Return a duration in words, for example ``1 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def time_left(seconds: float | None) -> str:
    """Return an estimate in words; the longer, the coarser."""
    if seconds is None:
        return "time left unknown"
    minutes = math.ceil(seconds / 60)
    if minutes <= 1:
        return "about a minute left" if seconds > 20 else "a few seconds left"
    step = 1 if minutes <= 10 else 5 if minutes <= 90 else 30
    return f"about {span(60 * step * math.ceil(minutes / step))} left"


def _progress(state: State) -> str:
    failed = len(state.of("failed"))
    zoo = ", ".join(f"{part} {count.done}/{count.all}" for part, count in state.members.items())
    failures, members = f"; {failed} failed" if failed else "", f"; members: {zoo}" if zoo else ""
    return f"{state.outputs.done} of {state.outputs.all} outputs{failures}{members}"


def _timing(state: State) -> str:
    if state.phase == COMPLETE:
        timing = f"complete, took {span(state.elapsed)}"
    elif state.phase == RUNNING:
        timing = f"{span(state.elapsed)} so far; {time_left(state.left)}"
    elif state.phase == DELETED:
        timing = f"was complete; missing files: {len(state.missing)}"
    else:
        timing = ENDINGS[state.phase].format(span(state.elapsed))
    return f"{timing}; {state.size / GB:.2g} GB"


def _stages(state: State) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1))
    running = {seen.job.rule for seen in state.of("running")}
    for stage, rules in state.stages.items():
        done = sum(count.done for count in rules.values())
        total = sum(count.all for count in rules.values())
        begun = [
            f"{rule} {count.done}/{count.all}"
            for rule, count in rules.items()
            if count.done < count.all and (count.done or rule in running)
        ]
        bar = ProgressBar(total=total, completed=done, width=20)
        table.add_row(stage, bar, f"{done}/{total}", Text(", ".join(begun), no_wrap=True, overflow="ellipsis"))
    return table


def _row(text: str) -> Padding:
    # Narrower than the screen: otherwise the `^C` of a terminal would start a new line.
    return Padding(Text(text.rstrip(), overflow="fold"), (0, 0, 0, 1), expand=False)


def _epoch(seen: Seen) -> str:
    """Return the last epoch of a job, in words; empty if there is none."""
    epoch = seen.last_epoch
    if epoch is None:
        return ""
    member = f"member {epoch.member}, " if epoch.member and not seen.job.name.endswith(epoch.member) else ""
    accuracy = "validation_accuracy" if "validation_accuracy" in epoch.values else "train_accuracy"
    values = ", ".join(
        f"{name.replace('_', ' ')} {value:.4g}"
        for name, value in epoch.values.items()
        if name.endswith("_loss") or name == accuracy
    )
    return f"{member}epoch {epoch.epoch} of {epoch.epochs}: {values}"


def facts(name: str, state: State) -> dict[str, Any]:
    """Return everything about the state of a run with this name as plain values.

    Returns:
        ``run``, ``phase`` (see ``wsl.watch.state.State``), ``seconds`` since its last start, ``seconds_left`` (None:
        unknown), ``bytes``, ``outputs``, ``members`` by part and ``stages`` by rule as numbers ``done`` of ``all``, the
        jobs ``running`` and ``failed``, ``warnings`` with the job that logged each first, files ``missing``, and the
        command that resumes the run.
    """
    return {
        "run": name,
        "phase": state.phase,
        "seconds": round(state.elapsed, 1),
        "seconds_left": None if state.left is None else round(state.left, 1),
        "bytes": state.size,
        "outputs": asdict(state.outputs),
        "members": {part: asdict(count) for part, count in state.members.items()},
        "stages": {
            stage: {rule: asdict(count) for rule, count in rules.items()} for stage, rules in state.stages.items()
        },
        "running": [
            {
                "job": seen.job.name,
                "member": getattr(seen.last_epoch, "member", None),
                "epoch": getattr(seen.last_epoch, "epoch", None),
                "values": getattr(seen.last_epoch, "values", {}),
            }
            for seen in state.of("running")
        ],
        "failed": [{"job": seen.job.name, "error": reason(seen), "log": seen.job.log} for seen in state.of("failed")],
        "warnings": [{"text": text, "job": job} for text, job in state.warnings.items()],
        "missing": state.missing,
        "resume": state.record.command,
    }


def follow(results: Path, states: Iterator[State], console: Console, every: float | None = None) -> State:
    """Show the states of a run, see ``wsl.watch.remaining.looks``, and return the last one.

    ``every`` are the seconds between two states; None: those of ``View``.
    """
    with View(results.resolve().name, results, console) as view:
        for state in states:
            view(state)
            if not state.over:
                time.sleep(view.every if every is None else every)
    return state


class View:
    """Shows the states of a run in a ``with`` block.

    On a terminal, a state replaces the one before. Elsewhere, each state, failure and warning is one line, once.

    Args:
        name: name of the run on the screen.
        results: its folder.
        console: if it is not a terminal, it gets no control codes.
        transient: whether the last state is removed from a terminal at the end.
    """

    def __init__(self, name: str, results: Path, console: Console, transient: bool = False):
        self.every = ON_A_TERMINAL if console.is_terminal else ELSEWHERE
        self._name, self._results, self._console = name, results, console
        self._live = Live(console=console, auto_refresh=False, transient=transient) if console.is_terminal else None
        self._failures: set[str] = set()
        self._warned: set[str] = set()

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, state: State) -> None:
        """Show a state."""
        if self._live is not None:
            self._live.update(draw(self._name, state), refresh=True)
            return
        failures = {describe_failure(seen, self._results) for seen in state.of("failed")}
        warnings = [f"warning: {text} ({job})" for text, job in state.warnings.items() if text not in self._warned]
        for text in (*warnings, *sorted(failures - self._failures), f"{time.strftime('%H:%M:%S')} {line(state)}"):
            self._console.print(text, highlight=False, soft_wrap=True, markup=False)
        self._failures = failures
        self._warned |= set(state.warnings)

    def note(self, text: str) -> None:
        """Show a text instead of a state, on a terminal."""
        if self._live is not None:
            self._live.update(Text.assemble((self._name, "bold"), f": {text}"), refresh=True)
