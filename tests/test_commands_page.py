"""The page of commands shows the complete summary of each command."""

import importlib.util
from pathlib import Path

import typer

from wsl.cli.main import app

HOOK = Path(__file__).parents[1] / "docs" / "hooks" / "pages.py"


def test_summaries_are_complete():
    spec = importlib.util.spec_from_file_location("pages", HOOK)
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    listed = pages.commands().partition("**Commands**")[2].partition("## ")[0]
    assert "..." not in listed
    commands = typer.main.get_command(app).commands
    assert len(commands) >= 6
    for name, command in commands.items():
        summary = " ".join(command.help.split("\n\n")[0].split())
        assert f"* `{name}`: {summary}\n" in listed and summary.endswith(".")
