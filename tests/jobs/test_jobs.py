"""Logs of jobs are written and read back."""

import os
import subprocess
import sys
from pathlib import Path

from wsl.jobs.process import error_in, stopped_in, warnings_in


def test_the_error_is_the_last_line_of_a_job_that_failed(tmp_path):
    code = "from wsl.jobs.process import job\n"
    code += "with job('job.log'): raise FloatingPointError('the loss turned non-finite')\n"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False).returncode == 1
    assert (
        error_in((tmp_path / "job.log").read_text(encoding="utf-8")) == "FloatingPointError: the loss turned non-finite"
    )
    assert error_in("2025-03-04 05:06:07,250 WARNING member 3 diverged\n") is None


def test_an_error_that_a_user_can_fix_ends_a_job_without_a_traceback(tmp_path):
    code = (
        "from wsl.errors import DataError\nfrom wsl.jobs.process import job\nimport logging\n"
        "with job('job.log'):\n    logging.warning('café')\n    raise DataError('naïve.h5 is empty; restore it')"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "C",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "na\\xefve.h5 is empty; restore it\n")
    log = (tmp_path / "job.log").read_text(encoding="utf-8")
    assert "WARNING café\n" in log and "Traceback" not in log
    assert error_in((tmp_path / "job.log").read_text(encoding="utf-8")) == "naïve.h5 is empty; restore it"


def test_an_error_of_several_lines_is_reported_completely(tmp_path):
    code = (
        "from wsl.jobs.process import job\n"
        "with job('job.log'):\n"
        "    try: 1 / 0\n"
        "    except ZeroDivisionError as error: raise ValueError('two faults:\\n  one\\n  two') from error\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False, capture_output=True)
    assert error_in((tmp_path / "job.log").read_text(encoding="utf-8")) == "ValueError: two faults: one two"


def test_each_warning_is_read_once_and_without_its_place(tmp_path):
    code = (
        "import logging, warnings\nfrom wsl.jobs.process import job\n"
        "with job('job.log'):\n"
        "    for _ in range(2): logging.warning('the zoo is small')\n"
        "    warnings.warn('slow')\n    logging.info('no WARNING here')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    text = (tmp_path / "job.log").read_text(encoding="utf-8")
    assert warnings_in(text) == ["the zoo is small", "UserWarning: slow"] and "<string>:" in text
    assert warnings_in("2025-03-04 05:06:07,250 WARNING it is inco") == []


def test_an_error_that_the_user_can_fix_is_its_message():
    text = "2025-03-04 05:06:07,250 ERROR the job failed\nimages/cat.h5 cannot be written (disk full)\n"
    assert error_in(text) == "images/cat.h5 cannot be written (disk full)"


def test_a_job_that_was_stopped_has_no_error():
    text = "2025-03-04 05:06:07,250 INFO the job was stopped\n"
    assert stopped_in(text) and error_in(text) is None
    assert not stopped_in("2025-03-04 05:06:07,250 WARNING the job was stopped\n")
