"""`wsl`: its commands, and how they fail: a message for what a user can mend, and exit code 1."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

from wsl.errors import ConfigError, DataError

app = typer.Typer(
    name="wsl",
    help="Models for your own images, from a finished run of the workflow.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
# Results go to standard output; what is said along the way must not mix with them.
console, notes = Console(), Console(stderr=True)


@app.callback()
def start(verbose: bool = typer.Option(False, "--verbose", "-v", help="Say what is done along the way.")) -> None:
    """Set up the log; torch and the rest are imported by the commands that need them."""
    handler = RichHandler(console=notes, show_path=False, show_time=False)
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler], format="%(message)s")


@contextmanager
def mendable() -> Iterator[None]:
    """Turn errors that a user can mend into their message and exit code 1."""
    try:
        yield
    except (ConfigError, DataError, OSError) as error:
        notes.print(f"[bold red]wsl:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def say(*words: str) -> None:
    """Print a line as it is, however long: a pipe or a terminal breaks it by itself."""
    console.print(*words, highlight=False, soft_wrap=True, markup=False)
