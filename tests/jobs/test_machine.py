"""Jobs write their machine to their logs, and the report reads it from there."""

import os
import platform
import subprocess
import sys

import pytest
import torch

import wsl
from wsl.jobs import machine
from wsl.jobs.machine import note, noted, this_machine


def test_this_machine_is_described_without_torch():
    here = this_machine()
    assert here.wsl == wsl.__version__
    assert here.python == platform.python_version()
    assert here.torch == torch.__version__ or torch.__version__.startswith(here.torch)
    assert here.cores == len(os.sched_getaffinity(0)) and here.gpu == ""
    with open("/proc/meminfo") as file:
        kilobytes = int(file.readline().split()[1])
    assert here.memory == pytest.approx(kilobytes * 1024 / 1e9, abs=0.06)
    code = (
        "import sys; from wsl.jobs.machine import this_machine; this_machine('cuda'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_host_or_user_is_named():
    text = note(1.0)
    assert platform.node() not in text and str(os.path.expanduser("~")) not in text


def test_the_note_of_a_job_is_read_back(tmp_path):
    log = tmp_path / "logs" / "job.log"
    code = f"""
import logging
from wsl.jobs.process import job
from wsl.jobs.machine import note
with job({str(log)!r}):
    logging.info("epoch 1 of 2: losses 0.5, validation 0.7")
    logging.info(note(12.34))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert noted(log) == (12.3, this_machine())


def test_the_last_note_counts_and_logs_without_one_are_none(tmp_path):
    log = tmp_path / "job.log"
    first = "x" * 10_000 + f"\n2026-01-01 10:00:00,000 INFO {note(1)}\n"
    log.write_text(first + f"2026-01-01 11:00:00,000 INFO {note(2)}\n")
    assert noted(log)[0] == 2
    for text in ("", "2026-01-01 10:00:00,000 ERROR the job failed\n", "INFO done in 1.0 s on {broken}\n"):
        log.write_text(text)
        assert noted(log) is None
    log.write_text('INFO done in 1.0 s on {"cpu": "of another version of this package"}\n')
    assert noted(log) is None and noted(tmp_path / "absent.log") is None


def test_models_of_gpus_are_named_for_jobs_on_them(tmp_path, monkeypatch):
    for name, model in (("0000:01", "NVIDIA H100"), ("0000:02", "NVIDIA H100")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 40\n")
    monkeypatch.setattr(machine, "NVIDIA_DEVICES", tmp_path)
    assert (this_machine("cuda").gpu, this_machine("cpu").gpu) == ("NVIDIA H100", "")
