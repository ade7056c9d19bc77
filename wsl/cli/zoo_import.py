"""`wsl import`: convert a zoo of another program to members and indices of this project."""

from pathlib import Path
from typing import Annotated

import typer

from wsl.cli.app import app, console, mendable, say
from wsl.cli.options import section_options
from wsl.cli.sources import bars_on_terminals, source
from wsl.errors import DataError
from wsl.hub.fetching import is_hub
from wsl.settings.registry import load_plugins
from wsl.zoo.foreign.options import ImportOptions


@app.command("import")
@section_options
def import_(
    zoo: Annotated[
        str,
        typer.Argument(
            help="A folder in Ray Tune's layout (runs with params.json or config.json, result.json and "
            "checkpoint_*/checkpoints): a zoo, a folder above it, or one run. Or a folder of state dicts with a CSV "
            "table: columns file, epoch and results; optionally member, classes, part and others. Also on the Hub, "
            "hf://[datasets/]owner/name, with @revision or /FOLDER after it.",
            callback=source,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to create: members/, one index per part, import.json.")],
    plugin: Annotated[
        list[Path] | None,
        typer.Option(
            help="A Python file that registers the architecture of the networks. It is executed, so check it first. "
            "Repeatable.",
            show_default=False,
        ),
    ] = None,
    *,
    options: ImportOptions,
) -> None:
    """Import a zoo that other software made, so that the stages after the zoo can use it.

    Only tensors are loaded; code in a file is never run. A run that cannot be read (damaged, not finite, another shape,
    no results for an epoch) is left out, counted and named; with --strict the zoo is refused instead. The last line
    reports the recognised architecture and how results were matched to weights.
    """
    with mendable():
        load_plugins(plugin or ())
        from wsl.zoo.foreign.account import in_words
        from wsl.zoo.foreign.importing import import_zoo

        if out.exists():  # before a download
            raise DataError(f"{out} exists already; name another folder")
        folder = Path(zoo)
        if is_hub(zoo):
            from wsl.hub.foreign import fetch_zoo

            bars_on_terminals()
            folder, options = fetch_zoo(zoo, options)
        with console.status("Importing"):
            account = import_zoo(folder, out, options)
    for line in in_words(out, account):
        say(line)
