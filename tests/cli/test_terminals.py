"""Commands in a terminal that shows ASCII alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASCII = {
    "by Python": {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
    "by locale": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}


def wsl(*arguments, cwd, **environment):
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-c", "from wsl.cli.main import app; app()", *map(str, arguments)],
        cwd=cwd,
        env={**inherited, "PYTHONPATH": root, "COLUMNS": "60", **environment},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("environment", ASCII.values(), ids=ASCII)
def test_no_command_ends_for_a_character_that_cannot_be_shown(zoo, tmp_path, environment):
    (tmp_path / "twice.yaml").write_text("naïve: 1\nnaïve: 2\n", encoding="utf-8")
    (tmp_path / "unknown.yaml").write_text("run: mine\nnaïve: 1\n", encoding="utf-8")
    for arguments, code in (
        (["--help"], 0),
        (["sample", "--help"], 0),
        (["inspect", zoo.members[0]], 0),  # narrow columns end in an ellipsis
        (["inspect", zoo.train], 0),
        (["doctor"], 0),
        (["doctor", "twice.yaml"], 1),
        (["doctor", "unknown.yaml"], 1),
    ):
        done = wsl(*arguments, cwd=tmp_path, **environment)
        said = (done.stdout + done.stderr).decode("ascii")  # an error where it is not
        assert done.returncode == code, said
        assert said.strip() and "Traceback" not in said


def test_inspect_never_advises_to_delete(tmp_path):
    for name, content in {
        "README.md": b"# Mine\n" * 99,
        "mine.pt": b"PK\x03\x04" * 99,
        "mine.safetensors": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
        done = wsl("inspect", name, cwd=tmp_path)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == 1 and name in said
        assert "delete" not in said and "Traceback" not in said
