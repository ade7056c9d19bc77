"""`wsl watch`: how far a run has got."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from wsl.cli.app import app, console, mendable, say


@app.command()
def watch(
    results: Annotated[Path, typer.Argument(help="Folder of a run, results/RUN.", exists=True, file_okay=False)],
    once: Annotated[bool, typer.Option("--once", help="Say how far it is, and end.")] = False,
    every: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Seconds between two looks. [default: 2 on a terminal, else 60]", show_default=False
        ),
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(help="A folder for TensorBoard's event files: losses and accuracies of all that is trained."),
    ] = None,
) -> None:
    """Watch a run while Snakemake makes it, here or on a cluster; reads only.

    Ends with code 0 when the run is complete, and with 1 where Snakemake ended before.
    """
    with mendable():
        from wsl.watch.following import follow, looks
        from wsl.watch.screen import draw

        with closing(looks(results, tensorboard)) as states:
            if once:
                console.print(draw(results.resolve().name, next(states)))
                return
            state = follow(results, states, console, every)
    if not state.complete:
        say("Snakemake has ended, and outputs are missing. Start it again: it goes on from here")
        raise typer.Exit(1)
