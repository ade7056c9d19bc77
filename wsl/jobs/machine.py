"""The machine and software of a job, which the job writes to its log and the report reads from there."""

import json
import os
import platform
import re
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from wsl import __version__
from wsl.jobs.devices import MPS, NVIDIA_DEVICES

TAIL = 4096  # bytes at the end of a log that contain the note
_NOTE = re.compile(r"INFO done in (?P<seconds>[\d.]+) s on (?P<machine>\{.*\})$", re.MULTILINE)


@dataclass(frozen=True)
class Machine:
    """The machine and software of a job. No host or user names, since reports are published."""

    wsl: str  # versions
    python: str
    torch: str
    cpu: str  # model of the processor
    cores: int  # cores that the process may use
    memory: float  # GB
    system: str
    gpu: str = ""  # models of the machine's GPUs if the job used one
    numpy: str = ""  # version


def this_machine(device: str = "cpu") -> Machine:
    """Return a description of this machine for a job on ``device``, without importing torch, which few jobs need."""
    return Machine(
        wsl=__version__,
        python=platform.python_version(),
        torch=_version("torch"),
        cpu=_cpu(),
        cores=usable_cores(),
        memory=round(psutil.virtual_memory().total / 1e9, 1),
        system=_system(),
        gpu="" if device == "cpu" else _cpu() if device == MPS else ", ".join(_gpus()),
        numpy=_version("numpy"),
    )


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    # macOS has no affinity of processes.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def note(seconds: float, device: str = "cpu") -> str:
    """Return the last line of the log of a job that took ``seconds`` on ``device``."""
    return f"done in {seconds:.1f} s on {json.dumps(asdict(this_machine(device)), ensure_ascii=False)}"


def noted(log: str | Path) -> tuple[float, Machine] | None:
    """Return a job's run time in seconds and its machine; None if its log lacks them or has another format."""
    try:
        with open(log, "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - TAIL, 0))
            notes = _NOTE.findall(file.read().decode("utf-8", errors="replace"))
        return float(notes[-1][0]), Machine(**json.loads(notes[-1][1]))
    except (OSError, IndexError, TypeError, ValueError):
        return None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    if platform.system() == "Darwin":  # the name of an Apple chip, which is its GPU's too
        with suppress(OSError, subprocess.SubprocessError):
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    with suppress(OSError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    return f"{platform.system()} {platform.release()}"


def _gpus() -> list[str]:
    models = set()
    for path in sorted(NVIDIA_DEVICES.glob("*/information")):
        with suppress(OSError):
            models.update(re.findall(r"^Model:\s*(.+?)\s*$", path.read_text(encoding="utf-8"), re.MULTILINE))
    return sorted(models) or ["GPU"]
