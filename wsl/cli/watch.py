"""`wsl watch`: show the state of a run."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsl.cli.app import app, console, mendable, say, say_json

if TYPE_CHECKING:
    from wsl.watch.state import State

INCOMPLETE, STILL_RUNNING = 1, 3  # exit codes; 2 is a wrong command
Results = Annotated[Path, typer.Argument(help="Folder of a run, results/RUN.", exists=True, file_okay=False)]
Every = Annotated[
    float | None,
    typer.Option(min=0.1, help="Seconds between two updates. [default: 2 on a terminal, else 60]", show_default=False),
]


@app.command()
def watch(
    results: Results,
    once: Annotated[bool, typer.Option("--once", help="Print the state of the run once.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: print it as JSON.")] = False,
    every: Every = None,
) -> None:
    """Watch a run while Snakemake makes it, here or on a cluster. Nothing is changed.

    Exit codes: 0, the run is complete; 1, it ended before it was complete, or its files were deleted since; 3, with
    `--once`, it is still running.
    """
    if as_json and not once:
        raise typer.BadParameter("needs --once", param_hint="--json")
    if every is not None and once:
        raise typer.BadParameter("cannot be combined with --once", param_hint="--every")
    with mendable():
        from wsl.watch.remaining import looks
        from wsl.watch.screen import draw, facts, follow

        name = results.resolve().name
        with closing(looks(results)) as states:
            if once:
                state = next(states)
                say_json(facts(name, state)) if as_json else console.print(draw(name, state))
            else:
                state = follow(results, states, console, every)
    show_end(state, results, not as_json)


def show_end(state: "State", results: Path, advise: bool = True) -> None:
    """Print what completes a run that has ended too early, and exit with the code of its state."""
    from wsl.watch.screen import advice

    if state.over and not state.complete and advise:
        say(advice(state, results))
    if not state.complete:
        raise typer.Exit(INCOMPLETE if state.over else STILL_RUNNING)
