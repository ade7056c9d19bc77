"""Lease one GPU per job, so that local jobs never share a GPU by accident."""

import ctypes
import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NVIDIA_DEVICES = Path("/proc/driver/nvidia/gpus")
DRIVER = "libcuda.so.1"
VISIBLE = "CUDA_VISIBLE_DEVICES"
POLL = 0.5  # seconds between two attempts to reserve a GPU
log = logging.getLogger(__name__)


def visible_devices() -> list[str]:
    """Return the ids of the GPUs this process may use: those in CUDA_VISIBLE_DEVICES, else all of this machine."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip() not in ("", "-1")]
    return [str(index) for index in range(len(list(NVIDIA_DEVICES.glob("*"))))]


def describe_devices() -> str:
    """Return the devices of the jobs on this machine, in words."""
    devices = visible_devices()
    return f"GPU {', '.join(devices)}, one per job" if devices else "no GPU is visible here, so jobs run on the CPU"


def has_driver() -> bool:
    """Return whether this machine has the GPU driver that torch needs; importing torch would take longer."""
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        return False
    return True


@contextmanager
def lease() -> Iterator[str]:
    """Reserve one visible GPU for the block and make it the only visible one; wait while all are reserved.

    Enter it before torch is imported. The lock is a ``flock`` on a local file, so the kernel releases it whenever the
    process ends, even if it is killed.

    Yields:
        ``cuda``, or ``cpu`` if no GPU can be used.
    """
    devices = visible_devices()
    if not devices:
        log.info("no GPU is visible: this job runs on the CPU")
        yield "cpu"
        return
    folder = Path(tempfile.gettempdir()) / f"wsl-gpu-leases-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    before = os.environ.get(VISIBLE)
    device, handle = _reserve(folder, devices)
    os.environ[VISIBLE] = device
    log.info("leased GPU %s of %s", device, ",".join(devices))
    works = has_driver()
    if not works:
        log.warning("GPU %s cannot be used because %s is missing: this job runs on the CPU", device, DRIVER)
    try:
        yield "cuda" if works else "cpu"
    finally:
        os.close(handle)
        if before is None:
            del os.environ[VISIBLE]
        else:
            os.environ[VISIBLE] = before


def _reserve(folder: Path, devices: list[str]) -> tuple[str, int]:
    while True:
        for device in devices:
            handle = os.open(folder / device.replace("/", "_"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return device, handle
            except BlockingIOError:
                os.close(handle)
        time.sleep(POLL)
