"""Signals: the end of a job on SIGTERM, and the command that resumes a run."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wsl.launch.stopping import stopped, this_command

JOB = """
import time
from wsl.files.atomic import written_whole
from wsl.jobs.process import job
with job('job.log'):
    with written_whole('made.h5') as beside:
        beside.write_text('half')
        while True: time.sleep(0.05)
"""


def test_a_job_that_is_stopped_leaves_nothing_half_written_and_no_traceback(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    running = subprocess.Popen([sys.executable, "-c", JOB], cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while time.monotonic() < end and not any(path.read_text() for path in tmp_path.glob(".made.h5.*.part")):
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    assert running.communicate(timeout=60)[1] == b"" and running.returncode == 128 + signal.SIGTERM
    assert [path.name for path in tmp_path.iterdir()] == ["job.log"]
    assert (tmp_path / "job.log").read_text().endswith(" INFO the job was stopped\n")


def test_handlers_are_as_before_when_a_job_is_done(tmp_path):
    code = (
        "import signal; before = signal.getsignal(signal.SIGTERM)\nfrom wsl.jobs.process import job\n"
        "with job('job.log'): assert signal.getsignal(signal.SIGTERM) is not before\n"
        "assert signal.getsignal(signal.SIGTERM) is before"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False).returncode == 0


@pytest.mark.parametrize("number, word", [(2, "Interrupted"), (15, "Terminated"), (1, "Stopped by signal 1")])
def test_one_line_contains_the_command_that_resumes(number, word):
    assert stopped(number, "make run") == f"{word}; finished files are kept. Resume: make run"


def test_the_command_can_be_typed_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "bin dir" / "snakemake"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    arguments = ["--cores", "all", "--config", "shared={temperature: 0.1}"]
    monkeypatch.setattr(sys, "argv", [str(program), "--quiet", "host", *arguments])
    monkeypatch.setenv("PATH", "/nowhere")
    assert shlex.split(this_command(("--quiet", "host"))) == ["bin dir/snakemake", *arguments]
    monkeypatch.setenv("PATH", str(program.parent))
    assert shlex.split(this_command()) == ["snakemake", "--quiet", "host", *arguments]
    # As a module: the command beside the interpreter.
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin dir" / "python"))
    monkeypatch.setattr(sys, "argv", ["/lib/snakemake/__main__.py", *arguments])
    assert shlex.split(this_command()) == ["snakemake", *arguments]
