"""PCA per parameter: the Gram solver compared with scikit-learn's solvers in memory, and with a plain read out of core.

One thread. The matrix has N members in float32, with variances that follow a power law, as in a zoo.
"""

import argparse
import os
import shutil

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from side_by_side import ratio, report, seconds

from wsl.weights.pca import ParameterPCA
from wsl.weights.pca_settings import PcaSettings

MEMBERS, NUMBERS, COMPONENTS = 400, 147_456, 32
SOLVERS = ("gram", "incremental", "randomized", "full")
DECAY, DIRECTIONS = 0.6, 300
CHUNK = 2**16  # columns per block


def pretended(members: int, numbers: int, seed: int = 0) -> np.ndarray:
    """Return float32 rows (members, numbers) of a power-law spectrum with noise below it."""
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((members, DIRECTIONS)) * np.arange(1, DIRECTIONS + 1) ** -DECAY
    found = np.empty((members, numbers), dtype=np.float32)
    for start in range(0, numbers, CHUNK):
        part = found[:, start : start + CHUNK]
        part[...] = scores @ rng.standard_normal((DIRECTIONS, part.shape[1]))
        part += 0.1 * rng.standard_normal(part.shape, dtype=np.float32)
    return found


def fit(data: np.ndarray | h5py.Dataset, solver: str = "gram") -> ParameterPCA:
    """Fit the matrix as a parameter, from memory or from a file."""
    settings = PcaSettings(components=COMPONENTS, solver=solver, variance_threshold=0.0, dimension_limit=1)
    return ParameterPCA.fit("weight", lambda part: data[:, part], data.shape, settings)


def error(values: np.ndarray, fitted: ParameterPCA) -> float:
    """Return the fraction of the variance that the reconstructed rows lose."""
    centred = values - values.mean(0)
    lost = values - fitted.decode(fitted.encode(values))
    return float((lost.astype(np.float64) ** 2).sum() / (centred.astype(np.float64) ** 2).sum())


def in_memory(rounds: int) -> tuple[list[dict], dict]:
    """Time every solver on the same matrix."""
    values = pretended(MEMBERS, NUMBERS)
    made: dict[str, ParameterPCA] = {}
    calls = {solver: lambda solver=solver: made.update({solver: fit(values, solver)}) for solver in SOLVERS}
    taken = seconds(calls, rounds)
    errors = {solver: error(values, fitted) for solver, fitted in made.items()}
    rows = [
        {"matrix": f"{MEMBERS} x {NUMBERS}", "solver": solver, "seconds": float(np.median(taken[solver]))}
        | {"error": errors[solver]}
        for solver in SOLVERS
    ]
    ratios = {f"ratio_{solver}_over_gram": ratio(taken[solver], taken["gram"]) for solver in SOLVERS[1:]}
    return rows, ratios | {f"error_{solver}": errors[solver] for solver in SOLVERS}


def out_of_core(members: int, numbers: int, folder: Path) -> tuple[list[dict], dict]:
    """Fit a parameter from a file in a separate process, and read the same file for comparison."""
    path = folder / "weights.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("weights", (members, numbers), dtype=np.float32)
        for start in range(0, numbers, CHUNK):
            width = min(CHUNK, numbers - start)
            data[:, start : start + width] = pretended(members, width, seed=start)
    gigabytes = members * numbers * 4 / 1e9
    rows = []
    for what in ("read", "fit"):
        asked = [sys.executable, __file__, "--alone", what, str(path)]
        taken, peak = map(float, subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split())
        rows.append({"matrix": f"{members} x {numbers}", "solver": what, "seconds": taken, "peak_gib": peak / 2**20})
    read, fit = (row["seconds"] for row in rows)
    figures = {"read_gb_per_s": gigabytes / read, "fit_gb_per_s": gigabytes / fit, "ratio_fit_over_read": fit / read}
    return rows, figures | {"peak_gib": rows[1]["peak_gib"]}


def alone(what: str, path: str) -> None:
    """Read or fit the file, and print the seconds and the peak memory (KiB)."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # both start with a cold cache
    with h5py.File(path) as file:
        data = file["weights"]
        begun = time.perf_counter()
        if what == "read":
            for start in range(0, data.shape[1], CHUNK):
                data[:, start : start + CHUNK]
        else:
            fit(data)
    taken = time.perf_counter() - begun
    status = Path("/proc/self/status").read_text()  # getrusage's figure would be the parent's where that is larger
    print(taken, next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--members", type=int, default=1_700, help="members of the matrix in the file")
    # The size of ResNet-18's largest parameter; use fewer if the disk is small.
    parser.add_argument("--numbers", type=int, default=2_359_296, help="values per member in it")
    parser.add_argument("--folder", help="where that file is written for the while")
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        alone(*given.alone)
    else:
        rows, figures = in_memory(given.rounds)
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            room = int(0.7 * shutil.disk_usage(folder).free) // (4 * given.members)
            more, others = out_of_core(given.members, min(given.numbers, room), Path(folder))
        report("pca", rows, figures)
        report("pca_out_of_core", more, others)
