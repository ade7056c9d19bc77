"""Commands in a terminal that only shows ASCII."""

import os

import pytest

ASCII = {
    "by Python": {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
    "by locale": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}


@pytest.fixture
def run(commands):
    """Runs commands in an environment without other settings of languages or of Python."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
    return lambda calls, **environment: commands(calls, {**inherited, "COLUMNS": "60", **environment})


@pytest.mark.parametrize("environment", ASCII.values(), ids=ASCII)
def test_no_command_fails_for_a_character_that_cannot_be_shown(run, zoo, tmp_path, environment):
    (tmp_path / "twice.yaml").write_text("naïve: 1\nnaïve: 2\n", encoding="utf-8")
    (tmp_path / "unknown.yaml").write_text("run: mine\nnaïve: 1\n", encoding="utf-8")
    calls = {
        ("--help",): 0,
        ("sample", "--help"): 0,
        ("inspect", zoo.members[0]): 0,  # narrow columns end in an ellipsis
        ("inspect", zoo.train): 0,
        ("doctor",): 0,
        ("doctor", "twice.yaml"): 1,
        ("doctor", "unknown.yaml"): 1,
    }
    for expected, (code, out, errors) in zip(calls.values(), run(calls, **environment), strict=True):
        output = (out + errors).decode("ascii")  # fails for other bytes
        assert code == expected, output
        assert output.strip() and "Traceback" not in output


def test_inspect_never_advises_to_delete(run, tmp_path):
    files = {"README.md": b"# Mine\n" * 99, "mine.pt": b"PK\x03\x04" * 99, "mine.safetensors": b""}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for name, (code, out, errors) in zip(files, run([("inspect", name) for name in files]), strict=True):
        output = (out + errors).decode()
        assert code == 1 and name in output
        assert "delete" not in output and "Traceback" not in output
