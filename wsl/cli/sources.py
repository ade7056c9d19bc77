"""Arguments of commands that name a path or a repository of the Hugging Face Hub."""

from pathlib import Path

import typer

from wsl.hub.fetching import is_hub


def source(value: str) -> str:
    """Return an argument unchanged.

    Raises:
        typer.BadParameter: it is neither ``hf://...`` nor an existing path.
    """
    if not is_hub(value) and not Path(value).exists():
        raise typer.BadParameter(f"Path '{value}' does not exist.")
    return value
