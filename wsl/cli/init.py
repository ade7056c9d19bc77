"""`wsl init`: a folder with a config to start from."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from wsl.cli.app import app, mendable, say

NAME = "config.yaml"


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The folder; it is created if it does not exist.", file_okay=False)],
) -> None:
    """Write a config with comments into a folder, and print what to do next. Nothing is overwritten."""
    with mendable():
        from wsl.errors import DataError
        from wsl.files.atomic import written_whole
        from wsl.launch.places import FIRST

        path = folder / NAME
        if path.exists():
            raise DataError(f"{path} exists already; name another folder")
        with written_whole(path) as unfinished:
            unfinished.write_bytes(FIRST.read_bytes())
    say(f"Wrote {path}. Its comments explain every key; it can run as it is.")
    enter = [f"cd {shlex.quote(str(folder))}"] if folder.resolve() != Path.cwd() else []
    for line in (*enter, f"wsl doctor {NAME}    # checks the config and this machine", f"wsl run {NAME}"):
        say(f"    {line}")
