"""The command `wsl`, and what all its commands share: output, warnings, and messages for errors that a user can fix."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

from wsl import __version__
from wsl.errors import ConfigError, DataError

app = typer.Typer(
    name="wsl",
    help="Weight-space learning: make runs, sample models for your own images, and share zoos.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
# Results go to standard output, all other messages to standard error. A class named ":cat:" is printed unchanged.
console, notes = Console(emoji=False), Console(stderr=True, emoji=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"wsl {__version__}")
        raise typer.Exit


@app.callback()
def start(
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Print progress messages."),
    _version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Set up the log; commands import torch and other large libraries themselves."""
    handler = RichHandler(console=notes, show_path=False, show_time=False)
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler], format="%(message)s")


@contextmanager
def mendable() -> Iterator[None]:
    """Turn errors that a user can fix into their message and exit code 1."""
    try:
        yield
    except BrokenPipeError:  # the reader of the pipe, for example `head`, has ended
        raise
    except (ConfigError, DataError, OSError) as error:
        notes.print(f"[bold red]wsl:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def say(*words: str) -> None:
    """Print a line without markup; the terminal itself breaks it."""
    console.print(*words, highlight=False, soft_wrap=True, markup=False)


def warn(text: str) -> None:
    """Print a warning to standard error."""
    notes.print(f"[bold yellow]warning:[/] {escape(text)}", highlight=False, soft_wrap=True)


def say_json(content: Any) -> None:
    """Print one JSON document; numbers that are not finite become null, since JSON cannot express them."""
    text = json.dumps(content, default=lambda value: value.item() if hasattr(value, "item") else str(value))
    say(json.dumps(json.loads(text, parse_constant=lambda name: None), indent=2))
