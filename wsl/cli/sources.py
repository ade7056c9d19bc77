"""Arguments of commands that name a path or a repository of the Hugging Face Hub."""

from pathlib import Path

import typer

from wsl.cli.app import notes
from wsl.hub.fetching import is_hub, local_copy
from wsl.paths import split_member


def source(value: str) -> str:
    """Return an argument unchanged.

    Raises:
        typer.BadParameter: it is neither ``hf://...`` nor an existing path.
    """
    if not is_hub(value) and not split_member(value)[0].exists():
        raise typer.BadParameter(f"Path '{value}' does not exist.")
    return value


def local(value: str) -> Path:
    """Return the path that an argument names, or the local copy of its repository."""
    if is_hub(value):
        bars_on_terminals()
    return local_copy(value)


def bars_on_terminals() -> None:
    """Switch the progress bars of downloads and uploads off if messages do not go to a terminal."""
    from wsl.files.huggingface import hub

    if not notes.is_terminal and hub():
        from huggingface_hub.utils import disable_progress_bars

        disable_progress_bars()
