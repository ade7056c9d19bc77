"""All commands, for the entry point."""

from wsl.cli import doctor, export, inspect, run, sample, watch, zoo_import  # noqa: F401
from wsl.cli.app import app

__all__ = ["app"]
