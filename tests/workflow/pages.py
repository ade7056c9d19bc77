"""Executes the fenced blocks of a page of the documentation in order, in one folder, as a reader would.

- ```` ```bash ```` is run by ``bash -e``; the command ``wsl`` is that of this project.
- ```` ```python ```` is run as a script. With ``title="parts.py"`` any block is written to that file instead.
- ```` ```text ```` after a command is what it prints. ``...`` stands for any text; white space does not matter.

Indented blocks are not executed.
"""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r'^```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.DOTALL | re.MULTILINE)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def execute(page: str, folder: Path, changes: Mapping[str, str] | None = None) -> list[str]:
    """Execute a page and return what each command and script printed.

    Args:
        page: path of the page in the repository.
        folder: working directory; created if it does not exist.
        changes: texts of the page that the test replaces, each of which must occur.

    Raises:
        AssertionError: a command fails, or prints something else than the page says.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    for old, new in (changes or {}).items():
        assert old in text, f"{page} does not contain {old!r}"
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    printed: list[str] = []
    for block in BLOCK.finditer(text):
        kind, title, content = block["kind"], block["title"], block["text"]
        if title:
            path = folder / title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        elif kind in ("bash", "python"):
            printed.append(_run(kind, content, folder))
        elif kind == "text":
            assert printed, f"{page}: there is no command before {content!r}"
            same = doctest.OutputChecker().check_output(content, printed[-1], FLAGS)
            assert same, f"{page} says\n{content}\nand the command prints\n{printed[-1]}"
    return printed


def blocks(page: str, kind: str) -> list[str]:
    """Return the texts of the fenced blocks of a kind."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [block["text"] for block in BLOCK.finditer(text) if block["kind"] == kind]


def _run(kind: str, content: str, folder: Path) -> str:
    command = ["bash", "-e", "-o", "pipefail", "-c", content] if kind == "bash" else [sys.executable, "-c", content]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CUDA_VISIBLE_DEVICES": "",
        "COLUMNS": "120",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{content}\n{done.stdout[-5000:]}"
    return done.stdout
