"""Lease one GPU per job, so that local jobs never share a GPU by accident."""

import ctypes
import logging
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

NVIDIA_DEVICES = Path("/proc/driver/nvidia/gpus")
DRIVER = "libcuda.so.1"
VISIBLE = "CUDA_VISIBLE_DEVICES"
MPS = "mps"  # torch's name of the GPU of a Mac with an Apple chip; such a machine has one
POLL = 0.5  # seconds between two attempts to reserve a GPU
log = logging.getLogger(__name__)


def visible_devices() -> list[str]:
    """Return the ids of the GPUs this process may use: those in CUDA_VISIBLE_DEVICES, else all of this machine.

    A Mac with an Apple chip has the GPU ``mps``, unless CUDA_VISIBLE_DEVICES is empty.
    """
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip() not in ("", "-1")]
    if (platform.system(), platform.machine()) == ("Darwin", "arm64"):
        return [MPS]
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

    Enter it before torch is imported. The lock is on an open local file, so the system releases it whenever the process
    ends, even if it is killed.

    Yields:
        ``cuda``, ``mps``, or ``cpu`` if no GPU can be used.
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
    log.info("leased GPU %s of %s", device, ",".join(devices))
    try:
        yield _mps() if device == MPS else _cuda(device)
    finally:
        os.close(handle)
        if before is None:
            os.environ.pop(VISIBLE, None)
        else:
            os.environ[VISIBLE] = before


def _cuda(device: str) -> str:
    os.environ[VISIBLE] = device
    if has_driver():
        return "cuda"
    log.warning("GPU %s cannot be used because %s is missing: this job runs on the CPU", device, DRIVER)
    return "cpu"


def _mps() -> str:
    # torch reads it when it is imported: operators without a version for this GPU then run on the CPU.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    import torch

    if torch.backends.mps.is_available():
        return MPS
    log.warning("torch cannot use the GPU of this Mac: this job runs on the CPU")
    return "cpu"


def _reserve(folder: Path, devices: list[str]) -> tuple[str, int]:
    while True:
        for device in devices:
            handle = os.open(folder / device.replace("/", "_"), os.O_RDWR | os.O_CREAT, 0o600)
            if lock_descriptor(handle, blocking=False):
                return device, handle
            os.close(handle)
        time.sleep(POLL)
