"""Time several methods in one run: ratios with their range, and the machine."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wsl.jobs.machine import this_machine

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "torch", "torchvision", "scikit-learn", "h5py", "snakemake")


def seconds(
    methods: dict[str, Callable[[], Any]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Time each method once per round, in turn, so that a slow period of the machine affects all of them.

    ``clock``: ``time.process_time`` counts the seconds of this process's cores, on a machine that others use too.
    """
    found: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, call in methods.items():
            begun = clock()
            call()
            found[name].append(clock() - begun)
    return found


def ratio(slow: list[float], fast: list[float]) -> dict[str, float]:
    """Return the median, minimum and maximum ratio over rounds."""
    ratios = np.divide(slow, fast)
    return {"median": float(np.median(ratios)), "low": float(ratios.min()), "high": float(ratios.max())}


def machine() -> dict[str, Any]:
    """Return the machine and the versions of packages."""
    about = {"cpu": this_machine().cpu, "cores": os.cpu_count(), "python": platform.python_version()}
    about["memory_gib"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    about["packages"] = {name: version(name) for name in PACKAGES}
    try:
        asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        about["gpu"] = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        about["gpu"] = None
    return about


def report(name: str, rows: list[dict[str, Any]], figures: dict[str, Any], keep: bool = True) -> None:
    """Print a table; with ``keep``, also write it to ``results/<name>.json`` with ``figures`` and the machine."""
    print(f"\n{name}\n{pd.DataFrame(rows).to_string(index=False, float_format='{:.4g}'.format)}")
    for key, value in figures.items():
        print(f"{key}: {value}")
    if not keep:
        return
    RESULTS.mkdir(exist_ok=True)
    content = {**figures, "rows": rows, "machine": machine()}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
