"""Time and memory of every stage against the number of members and the network's width, with fitted exponents.

Each size is a run of the workflow on the handwritten digits; Snakemake's measurements of its jobs are summed by rule.
Trainings are short, since the benchmark measures growth and not the time that photographs take. An exponent is the p of
start + c size^p, where the start is the constant cost of a job.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure
from runs import ROOT, snakemake
from scipy.optimize import least_squares
from side_by_side import RESULTS, report

CONFIG = {
    "seed": 0,
    "images": {"source": "digits", "size": 16, "classes_per_job": 10},
    "zoo": {
        "parts": {"train": 8, "validation": 1, "test": 1},
        "cohort": 10,
        "init": "independent",
        "early_epoch": 1,
        "max_epoch": 2,
        "snapshots": ["max"],
    },
    "weights": {"components": 16, "solver": "gram", "encoder": {"latent": 64, "epochs": 5}},
    "datasets": {"model": "wsl-small-rn"},
    "shared": {"hidden": [64], "epochs": 5},
    "sampling": {"samplers": ["projection"]},
    "evaluation": {"image_counts": [5], "finetuning": {"epochs": []}},
}
GROWN = 1.15
PYTHON_MIB = 30  # less was seen of the shell before it, of a job that ended before Snakemake looked again
STAGES = {
    "zoo training": ("train_cohort",),
    "index": ("index_part",),
    "PCA": ("fit_pca", "fit_small_pca"),
    "coefficients": ("coefficients",),
    "autoencoder": ("train_weight_encoder",),
    "latents": ("embed_weights",),
    "shared encoder": ("train_shared",),
    "evaluation": ("judge",),
}


def run(members: int, width: int, folder: Path, cores: int) -> pd.DataFrame:
    """Run the workflow up to the evaluation of sampled models; return seconds and MiB per stage."""
    name = f"growth-{members}-{width}"
    config = {**CONFIG, "run": name, "zoo": {**CONFIG["zoo"], "members": members, "width": width}}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    target = f"results/{name}/evaluation/protocol/projection-0.csv"
    size = {"members": members, "width": width}
    rows = [{"stage": "planning", **size, **planning(path, folder, target)}]
    snakemake(ROOT / "Snakefile", path, folder, "--cores", str(cores), "-q", "--", target)
    measured = folder / "results" / name / "benchmarks"
    for stage, rules in STAGES.items():
        files = [file for rule in rules for end in (".tsv", "/*.tsv") for file in measured.glob(f"{rule}{end}")]
        jobs = pd.concat(pd.read_csv(file, sep="\t") for file in files)
        memory = pd.to_numeric(jobs["max_rss"], errors="coerce").max()
        seen = memory if memory > PYTHON_MIB else np.nan
        rows.append({"stage": stage, **size, "seconds": jobs["s"].sum(), "mib": seen})
    return pd.DataFrame(rows)


def planning(config: Path, folder: Path, target: str) -> dict[str, float]:
    """Return the core seconds and MiB of planning a run."""
    asked = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(config)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([*asked, "-n", "-q", "--", target], cwd=folder, stdout=quiet, stderr=quiet)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{config} could not be planned")
    return {"seconds": used.ru_utime + used.ru_stime, "mib": used.ru_maxrss / 2**10}


def exponents(rows: pd.DataFrame, against: str) -> dict[str, dict[str, float | None]]:
    """Return p of start + c size^p, fitted by stage to seconds and to memory.

    The start is the constant cost of a job: interpreter and libraries. p is 0 if the last size costs less than GROWN
    times the first, and None if only the last size costs more: one point does not show how fast a stage grows.
    """
    found: dict[str, dict[str, float | None]] = {}
    for stage, own in rows.groupby("stage", sort=False):
        found[stage] = {}
        for key in ("seconds", "mib"):
            known = own.dropna(subset=key).sort_values(against)
            sizes, values = known[against] / known[against].max(), known[key].to_numpy()
            if values[-1] < GROWN * values[0]:
                found[stage][key] = 0.0
            elif values[-2] < GROWN * values[0]:
                found[stage][key] = None
            else:
                found[stage][key] = fitted_exponent(sizes.to_numpy(), values)
    return found


def fitted_exponent(sizes: np.ndarray, values: np.ndarray) -> float:
    """Fit log(start + c size^p) to log values and return p."""

    def lost(numbers: np.ndarray) -> np.ndarray:
        start, share, power = numbers
        return np.log(start + share * sizes**power) - np.log(values)

    begun, most = values[0], values[-1]
    low, high = (1e-9 * most, 1e-9 * most, 0.0), (begun, 2 * most, 4.0)
    return float(least_squares(lost, (0.8 * begun, most - 0.8 * begun, 1.0), bounds=(low, high)).x[2])


def in_words(exponent: float | None) -> str:
    """Return an exponent in words."""
    return {0.0: "does not grow", None: "at the last size"}.get(exponent) or f"{exponent:.1f}"


def draw(tables: dict[str, pd.DataFrame], slopes: dict[str, dict[str, dict[str, float | None]]], out: Path) -> None:
    """Draw seconds above and memory below, against members on the left and width on the right."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    grid = figure.subplots(2, len(tables), squeeze=False, sharey="row")
    for column, (against, rows) in enumerate(tables.items()):
        for row, (key, label) in enumerate((("seconds", "core seconds"), ("mib", "peak memory of a job, MiB"))):
            axes = grid[row, column]
            for stage, own in rows.groupby("stage", sort=False):
                known, words = own.dropna(subset=key), in_words(slopes[against][stage][key])
                axes.plot(known[against], known[key], marker="o", ms=3, label=f"{stage}: {words}")
            axes.set(xscale="log", yscale="log", xlabel=against)
            axes.set_xticks(sorted(rows[against].unique()), sorted(rows[against].unique()))
            axes.minorticks_off()
            axes.legend(fontsize=6, title="exponent", title_fontsize=6, loc="upper left", bbox_to_anchor=(1, 1))
            if not column:
                axes.set_ylabel(label)
    figure.savefig(out, dpi=130)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, nargs="+", default=[50, 100, 200, 400, 800])
    parser.add_argument("--width", type=int, nargs="+", default=[4, 8, 16, 32, 64])
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    given = parser.parse_args()
    slim, few = given.width[0], given.members[0]
    with tempfile.TemporaryDirectory() as folder:
        sizes = {(members, slim) for members in given.members} | {(few, width) for width in given.width}
        rows = pd.concat([run(*size, Path(folder), given.cores) for size in sorted(sizes)], ignore_index=True)
    tables = {"members": rows[rows["width"] == slim], "width": rows[rows["members"] == few]}
    slopes = {against: exponents(table, against) for against, table in tables.items()}
    report("growth", rows.replace({np.nan: None}).to_dict("records"), {"exponents": slopes})
    draw(tables, slopes, RESULTS / "growth.png")
