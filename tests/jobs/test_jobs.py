"""Logs of jobs are written and read back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wsl.jobs.process import error_in, stopped_in, warnings_in


@pytest.fixture
def run(tmp_path):
    """Runs code that writes ``job.log``: ``run(code, **environment)`` returns the process and the text of the log."""

    def start(code, **more):
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **more}
        options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
        done = subprocess.run([sys.executable, "-c", code], check=False, **options)
        return done, (tmp_path / "job.log").read_text(encoding="utf-8")

    return start


def test_the_error_is_the_last_line_of_a_job_that_failed(run):
    code = "from wsl.jobs.process import job\nwith job('job.log'): raise FloatingPointError('the loss is not finite')\n"
    done, log = run(code)
    assert done.returncode == 1 and error_in(log) == "FloatingPointError: the loss is not finite"
    assert error_in("2025-03-04 05:06:07,250 WARNING member 3 diverged\n") is None


def test_an_error_that_a_user_can_fix_ends_a_job_without_a_traceback(run):
    code = (
        "from wsl.errors import DataError\nfrom wsl.jobs.process import job\nimport logging\n"
        "with job('job.log'):\n    logging.warning('café')\n    raise DataError('naïve.h5 is empty; restore it')"
    )
    done, log = run(code, PYTHONIOENCODING="ascii", LC_ALL="C")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "na\\xefve.h5 is empty; restore it\n")
    assert "WARNING café\n" in log and "Traceback" not in log
    assert error_in(log) == "naïve.h5 is empty; restore it"


def test_an_error_of_several_lines_is_reported_completely(run):
    code = (
        "from wsl.jobs.process import job\n"
        "with job('job.log'):\n"
        "    try: 1 / 0\n"
        "    except ZeroDivisionError as error: raise ValueError('two faults:\\n  one\\n  two') from error\n"
    )
    assert error_in(run(code)[1]) == "ValueError: two faults: one two"


def test_each_warning_is_read_once_and_without_its_place(run):
    code = (
        "import logging, warnings\nfrom wsl.jobs.process import job\n"
        "with job('job.log'):\n"
        "    for _ in range(2): logging.warning('the zoo is small')\n"
        "    warnings.warn('slow')\n    logging.info('no WARNING here')\n"
    )
    done, text = run(code)
    assert done.returncode == 0
    assert warnings_in(text) == ["the zoo is small", "UserWarning: slow"] and "<string>:" in text
    assert warnings_in("2025-03-04 05:06:07,250 WARNING it is inco") == []


def test_an_error_that_the_user_can_fix_is_its_message():
    text = "2025-03-04 05:06:07,250 ERROR the job failed\nimages/cat.h5 cannot be written (disk full)\n"
    assert error_in(text) == "images/cat.h5 cannot be written (disk full)"


def test_a_job_that_was_stopped_has_no_error():
    text = "2025-03-04 05:06:07,250 INFO the job was stopped\n"
    assert stopped_in(text) and error_in(text) is None
    assert not stopped_in("2025-03-04 05:06:07,250 WARNING the job was stopped\n")
