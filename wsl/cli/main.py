"""All commands, for the entry point."""

from wsl.cli import (  # noqa: F401
    doctor,
    export,
    fetch,
    init,
    inspect,
    pull,
    push,
    run,
    sample,
    search,
    tables,
    track,
    watch,
    zoo_import,
)
from wsl.cli.app import app
from wsl.files.opening import raise_file_limit
from wsl.files.text import forgive_output

__all__ = ["app"]

# Here, since help is printed before a command starts.
forgive_output()
raise_file_limit()
