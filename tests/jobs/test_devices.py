"""Leases of simulated devices, held by separate processes."""

import os
import signal
import subprocess
import sys

import pytest

from wsl.jobs import devices
from wsl.jobs.devices import lease, visible_devices

# An existing library stands for the driver.
HOLD = """
import os, sys
from wsl.jobs import devices
from wsl.jobs.devices import lease
devices.DRIVER, devices.POLL = "libc.so.6", 0.02
with lease() as device:
    print(device, os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    sys.stdin.read()
"""
TAKE_TURNS = """
import os, sys, time
from wsl.jobs import devices
from wsl.jobs.devices import lease
devices.DRIVER, devices.POLL = "libc.so.6", 0.005
for _ in range(5):
    with lease():
        marker = os.path.join(sys.argv[1], os.environ["CUDA_VISIBLE_DEVICES"])
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))  # fails if another process holds this device
        time.sleep(0.01)
        os.unlink(marker)
"""


@pytest.fixture
def environment(tmp_path):
    """Two devices to lease, with separate lock files."""
    return {**os.environ, "CUDA_VISIBLE_DEVICES": "5,7", "TMPDIR": str(tmp_path)}


@pytest.fixture
def hold(environment):
    """Start a process that holds a lease until its standard input closes."""
    started = []

    def start():
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([sys.executable, "-c", HOLD], env=environment, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def got(process):
    return process.stdout.readline().split()


def test_two_holders_have_different_devices(hold):
    one, two = hold(), hold()
    assert sorted([got(one), got(two)]) == [["cuda", "5"], ["cuda", "7"]]


@pytest.mark.parametrize("end", ["returns", "is killed"])
def test_a_third_job_waits_for_a_free_device(hold, end):
    one, two = hold(), hold()
    freed = got(one)
    assert got(two) != freed
    third = hold()
    with pytest.raises(subprocess.TimeoutExpired):
        third.wait(0.5)  # it waits
    assert third.poll() is None
    if end == "is killed":
        one.send_signal(signal.SIGKILL)
    else:
        one.stdin.close()
    assert got(third) == freed


def test_two_jobs_never_share_a_device(environment, tmp_path):
    (tmp_path / "held").mkdir()
    command = [sys.executable, "-c", TAKE_TURNS, str(tmp_path / "held")]
    crowd = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(6)]
    try:
        assert [process.communicate(timeout=60)[1] for process in crowd] == [""] * 6
        assert [process.returncode for process in crowd] == [0] * 6
    finally:
        for process in crowd:
            process.kill()
            process.wait()


@pytest.mark.parametrize("visible", ["", "-1", " "])
def test_no_visible_device_means_the_cpu(monkeypatch, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with lease() as device:
        assert device == "cpu"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == visible


def test_a_device_without_a_driver_is_reserved_but_not_used(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setattr(devices, "DRIVER", "libnowhere.so.1")
    with lease() as device:
        assert (device, os.environ["CUDA_VISIBLE_DEVICES"]) == ("cpu", "3")
    assert "GPU 3 cannot be used because libnowhere.so.1 is missing: this job runs on the CPU" in caplog.text


@pytest.mark.parametrize("fails", [False, True])
def test_the_environment_is_as_before_afterwards(monkeypatch, tmp_path, fails):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a/1, GPU-b")
    monkeypatch.setattr(devices, "DRIVER", "libc.so.6")
    for _ in range(2):  # the second finds the device free again
        try:
            with lease() as device:
                assert (device, os.environ["CUDA_VISIBLE_DEVICES"]) == ("cuda", "GPU-a/1")
                if fails:
                    raise RuntimeError
        except RuntimeError:
            pass
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-a/1, GPU-b"


def test_without_the_variable_every_gpu_of_the_machine_counts(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "NVIDIA_DEVICES", tmp_path)
    assert visible_devices() == []
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert visible_devices() == ["0", "1"]
