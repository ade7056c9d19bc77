"""`wsl pull`: get a model, a member, a zoo or a run from the Hugging Face Hub."""

from pathlib import Path
from typing import Annotated

import typer

from wsl.cli.app import app, mendable, say
from wsl.cli.sources import bars_on_terminals


@app.command()
def pull(
    source: Annotated[
        str,
        typer.Argument(
            help="hf://owner/name, or with a branch, tag or commit: hf://owner/name@revision. hf://datasets/owner/name "
            "if a model has the same name, and hf://owner/name/FOLDER for one folder."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to create. [default: the name of the repository]", show_default=False),
    ] = None,
) -> None:
    """Get a model, a member, a zoo or a finished run from the Hugging Face Hub, as `wsl push` found it.

    The folder appears when it is complete. If the command is interrupted, the same command continues. `wsl sample
    --from` and `wsl inspect` also take hf://owner/name itself.
    """
    with mendable():
        from wsl.hub.fetching import parse_source, pull

        bars_on_terminals()
        parsed = parse_source(source)
        out = out or Path(Path(parsed.folder or parsed.repo).name)
        files = pull(source, out)
    say(f"{out}: {len(files)} files from {source}")
