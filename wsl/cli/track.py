"""`wsl track`: send a run to tools that show learning curves."""

from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import typer

from wsl.cli.app import app, console, mendable, say
from wsl.cli.watch import Every, Results, show_end
from wsl.errors import ConfigError, DataError
from wsl.jobs.process import stopped_by_sigterm


@app.command()
def track(
    results: Results,
    to: Annotated[str, typer.Option(help="Tools, separated by commas: tensorboard, wandb, mlflow, trackio.")],
    out: Annotated[Path, typer.Option(help="Folder for their local data, one folder per tool.")] = Path("tracking"),
    every: Every = None,
) -> None:
    """Send learning curves and results to TensorBoard, Weights & Biases, MLflow or trackio.

    It ends with the run; a run that has ended is sent at once. A later call adds only what is new. Everything stays on
    this machine, unless you are logged in to Weights & Biases or variables of a tool name a server. The run is not
    changed. Exit codes are those of `wsl watch`.
    """
    with mendable(), stopped_by_sigterm():
        from wsl.runs.config_file import read_config
        from wsl.watch.remaining import looks
        from wsl.watch.screen import follow
        from wsl.watch.tracking import tracking

        names = [name.strip() for name in to.split(",") if name.strip()]
        if not names:
            raise ConfigError("--to: name at least one tool, for example tensorboard")
        with tracking(results, names, out) as kept:
            with closing(looks(results, kept.update)) as states:
                state = follow(results, states, console, every)
            if state.complete:
                config = {}
                with suppress(DataError):  # runs of mixed zoos have no report
                    config = read_config(results)
                kept.finish(config)
        for tracker in kept.trackers:
            say(f"{tracker.name}: {tracker.view()}")
    show_end(state, results)
