"""Rivals timed side by side in one run: ratios with their spread, and the machine that they were taken on."""

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

from wsl.machine import this_machine

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "torch", "torchvision", "scikit-learn", "h5py", "snakemake")


def seconds(rivals: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Time each rival once a round, one after the other, so that a slow spell of the machine strikes all alike."""
    found: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, call in rivals.items():
            begun = time.perf_counter()
            call()
            found[name].append(time.perf_counter() - begun)
    return found


def ratio(slow: list[float], fast: list[float]) -> dict[str, float]:
    """Return the median, least and largest ratio over rounds."""
    ratios = np.divide(slow, fast)
    return {"median": float(np.median(ratios)), "low": float(ratios.min()), "high": float(ratios.max())}


def machine() -> dict[str, Any]:
    """Return what a figure depends on beside the code."""
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
    """Print a table and write ``results/<name>.json``: ``figures``, ``rows`` and the machine; or print it alone."""
    print(f"\n{name}\n{pd.DataFrame(rows).to_string(index=False, float_format='{:.4g}'.format)}")
    for key, value in figures.items():
        print(f"{key}: {value}")
    if not keep:
        return
    RESULTS.mkdir(exist_ok=True)
    content = {**figures, "rows": rows, "machine": machine()}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
