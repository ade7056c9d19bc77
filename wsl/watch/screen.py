"""A run's state for people: tables on a terminal, a line anywhere else."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wsl.watch.state import Seen, State, last_epoch

GB = 1e9
MOST = 8  # rows about running jobs, and about failed ones: a terminal is not high


def draw(name: str, state: State) -> Group:
    """Return everything about a run's state.

    Args:
        name: of the run.
    """
    return Group(
        Text.assemble((name, "bold"), f": {_headline(state)}"), _stages(state), *_running(state), *_failed(state)
    )


def line(state: State) -> str:
    """Return a run's state in one line."""
    running = state.of("running")
    if not running:
        return _headline(state)
    more = f", and {len(running) - 1} more" if running[1:] else ""
    return f"{_headline(state)}; now {f'{running[0].job.name} {_epoch(running[0], state)}'.rstrip()}{more}"


def describe_failure(seen: Seen, folder: str | Path) -> str:
    """Return what ended a failed job, and where its log is."""
    return f"{seen.job.name} failed: {seen.log.error} ({Path(folder, seen.job.log)})"


def _headline(state: State) -> str:
    failed = len(state.of("failed"))
    zoo = [f"{part} {count.done}/{count.all}" for part, count in state.members.items()]
    left = state.left
    parts = [
        f"{state.outputs.done} of {state.outputs.all} outputs",
        f"{failed} failed" if failed else "",
        f"members: {', '.join(zoo)}" if zoo else "",
        f"zoo done in about {_span(left)}" if left else "",
        f"{_span(state.elapsed)} so far" if not state.complete else f"complete, took {_span(state.elapsed)}",
        f"{state.size / GB:.2g} GB",
        "Snakemake has ended" if state.ended and not state.complete else "",
    ]
    return "; ".join(part for part in parts if part)


def _stages(state: State) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1))
    for stage, rules in state.stages.items():
        done = sum(count.done for count in rules.values())
        every = sum(count.all for count in rules.values())
        short = [f"{rule} {count.done}/{count.all}" for rule, count in rules.items() if count.done < count.all]
        bar = ProgressBar(total=every, completed=done, width=20)
        table.add_row(stage, bar, f"{done}/{every}", Text(", ".join(short), overflow="fold"))
    return table


def _running(state: State) -> Iterator[RenderableType]:
    running = state.of("running")
    if not running:
        return
    table = Table(box=None, show_header=False, padding=(0, 1), title="now", title_justify="left")
    for seen in running[:MOST]:
        silent = max(state.time - seen.log.time, 0)
        table.add_row(seen.job.name, _epoch(seen, state), f"said {_span(silent)} ago")
    yield table
    if running[MOST:]:
        yield Text(f" and {len(running) - MOST} more")


def _failed(state: State) -> Iterator[RenderableType]:
    failed = state.of("failed")
    for seen in failed[:MOST]:
        yield Text.assemble((f"{seen.job.name} failed: ", "bold red"), f"{seen.log.error} ({seen.job.log})")
    if failed[MOST:]:
        yield Text(f" and {len(failed) - MOST} more failed")


def _epoch(seen: Seen, state: State) -> str:
    """Return the last epoch that a job has told of, in words; nothing where there is none."""
    epoch = last_epoch(seen)
    if epoch is None:
        return ""
    planned = state.record.members.get(f"zoo/members/{epoch.member}.h5")
    of = planned.epochs if planned else epoch.of
    member = f"member {epoch.member}, " if epoch.member and not seen.job.name.endswith(epoch.member) else ""
    values = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in epoch.values.items())
    return f"{member}epoch {epoch.epoch}{f' of {of}' if of else ''}: {values}"


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
