"""All commands, for the entry point."""

from wsl.cli import sample  # noqa: F401
from wsl.cli.app import app

__all__ = ["app"]
