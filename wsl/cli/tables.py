"""`wsl tables`: the tables of several runs as one."""

from pathlib import Path
from typing import Annotated

import typer

from wsl.cli.app import app, mendable, say


@app.command()
def tables(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of finished runs, results/RUN.", exists=True, file_okay=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder of the CSV files; files of the same names are replaced.")],
) -> None:
    """Write the tables of several runs as one CSV file per kind, with columns for run, seed, versions and machine."""
    with mendable():
        from wsl.report.about import gather_tables

        for kind, rows in gather_tables(runs, out).items():
            say(f"{out / kind}.csv: {rows} rows")
