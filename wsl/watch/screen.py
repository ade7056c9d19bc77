"""A run's state for people: tables on a terminal, one line anywhere else."""

import math
import shlex
from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wsl.watch.logs import STOPPED
from wsl.watch.state import COMPLETE, DELETED, KILLED, RUNNING, Seen, State, last_epoch
from wsl.watch.steps import FAILED, INTERRUPTED

GB = 1e9
MOST = 8  # rows about running jobs, about failed ones and about warnings: a terminal is not high
QUIET = 60.0  # seconds after which a job's silence is shown
ENDINGS = {
    FAILED: "failed after {}",
    INTERRUPTED: "interrupted after {}",
    KILLED: "Snakemake was killed after {} or more, and its jobs may still run",
}


def draw(name: str, state: State) -> Group:
    """Return everything about a run's state.

    Args:
        name: what to call the run.
    """
    return Group(
        Text.assemble((name, "bold"), f": {_progress(state)}"),
        _row(_timing(state)),
        _stages(state),
        *_running(state),
        *_warnings(state),
        *_failed(state),
    )


def line(state: State) -> str:
    """Return a run's state in one line."""
    whole = f"{_progress(state)}; {_timing(state)}"
    running = state.of("running")
    if not running:
        return whole
    more = f", and {len(running) - 1} more" if running[1:] else ""
    return f"{whole}; now {f'{running[0].job.name} {_epoch(running[0], state)}'.rstrip()}{more}"


def describe_failure(seen: Seen, folder: str | Path) -> str:
    """Return what ended a failed job, and the path of its log."""
    return f"{seen.job.name} failed: {reason(seen)} ({Path(folder, seen.job.log)})"


def reason(seen: Seen) -> str:
    """Return the last line of a failed job's error."""
    if seen.log is not None and STOPPED in seen.log.text:
        return "stopped from outside (cancelled, or at its time limit)"
    error = seen.log.error if seen.log else None
    return error or "its log holds no error (was it killed, or out of memory?)"


def advice(state: State, results: str | Path) -> str:
    """Return what to do about a run that has ended and is not complete.

    Args:
        results: the run's folder.
    """
    program, *arguments = shlex.split(state.record.command)
    if state.phase == KILLED:
        unlock = shlex.join([program, "--unlock", *arguments])
        return f"Resume: {state.record.command}\nIf Snakemake finds a lock: {unlock}"
    if state.phase != DELETED:
        return f"Resume: {state.record.command}"
    files = [Path(results, path).as_posix() for path in state.missing]
    listed = ", ".join(files[:MOST]) + (f" and {len(files) - MOST} more" if files[MOST:] else "")
    if files[MOST:]:
        # Named one by one they would fill the screen. Snakemake's first option may follow targets.
        rules = dict.fromkeys(seen.job.name.partition("/")[0] for seen in state.of("deleted"))
        place = next((place for place, one in enumerate(arguments) if one.startswith("-")), len(arguments))
        arguments[place:place] = ["--forcerun", *rules]
    else:
        arguments += [*(() if "--" in arguments else ("--",)), *files]
    command = shlex.join([program, *arguments])
    return f"Deleted since the run ended: {listed}\nMake again: {command}"


def span(seconds: float) -> str:
    """Return a duration in words."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def time_left(seconds: float | None) -> str:
    """Return an estimate in words, and no more exact than it is."""
    if seconds is None:
        return "time left unknown"
    minutes = math.ceil(seconds / 60)
    if minutes <= 1:
        return "about a minute left" if seconds > 20 else "a few seconds left"
    step = 1 if minutes <= 10 else 5 if minutes <= 90 else 30
    return f"about {span(60 * step * math.ceil(minutes / step))} left"


def _progress(state: State) -> str:
    failed = len(state.of("failed"))
    zoo = [f"{part} {count.done}/{count.all}" for part, count in state.members.items()]
    parts = [
        f"{state.outputs.done} of {state.outputs.all} outputs",
        f"{failed} failed" if failed else "",
        f"members: {', '.join(zoo)}" if zoo else "",
    ]
    return "; ".join(part for part in parts if part)


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
        every = sum(count.all for count in rules.values())
        begun = [
            f"{rule} {count.done}/{count.all}"
            for rule, count in rules.items()
            if count.done < count.all and (count.done or rule in running)
        ]
        bar = ProgressBar(total=every, completed=done, width=20)
        table.add_row(stage, bar, f"{done}/{every}", Text(", ".join(begun), no_wrap=True, overflow="ellipsis"))
    return table


def _running(state: State) -> Iterator[RenderableType]:
    running = state.of("running")
    if not running:
        return
    yield Text("now")
    for seen in running[:MOST]:
        silent = max(state.time - seen.log.time, 0)
        wait = f" (no message for {span(silent)})" if silent > QUIET else ""
        yield _row(f"{seen.job.name} {_epoch(seen, state)}{wait}")
    if running[MOST:]:
        yield _row(f"and {len(running) - MOST} more")


def _warnings(state: State) -> Iterator[RenderableType]:
    found = state.warnings
    if not found:
        return
    yield Text("warnings", style="yellow")
    for text, job in list(found.items())[:MOST]:
        yield _row(f"{text} ({job})")
    if len(found) > MOST:
        yield _row(f"and {len(found) - MOST} more, in logs/")


def _failed(state: State) -> Iterator[RenderableType]:
    failed = state.of("failed")
    for seen in failed[:MOST]:
        yield Text.assemble((f"{seen.job.name} failed: ", "bold red"), f"{reason(seen)} ({seen.job.log})")
    if failed[MOST:]:
        yield Text(f" and {len(failed) - MOST} more failed")


def _row(text: str) -> Padding:
    # Not as wide as the screen: there, the `^C` of a terminal would begin a line.
    return Padding(Text(text.rstrip(), overflow="fold"), (0, 0, 0, 1), expand=False)


def _epoch(seen: Seen, state: State) -> str:
    """Return the last epoch in a job's log, in words; nothing where there is none."""
    epoch = last_epoch(seen)
    if epoch is None:
        return ""
    planned = state.record.members.get(f"zoo/members/{epoch.member}.h5")
    of = planned.epochs if planned else epoch.of
    member = f"member {epoch.member}, " if epoch.member and not seen.job.name.endswith(epoch.member) else ""
    values = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in epoch.values.items())
    return f"{member}epoch {epoch.epoch}{f' of {of}' if of else ''}: {values}"
