"""Accuracy of every method on the default config, over several seeds: the mean, the least and the largest.

Each seed draws other images, other classes for the backbone and for unseen tasks, other tasks and other weights, so the
spread is that of the whole run. README's table comes from this benchmark. Another machine rounds differently and so
trains other networks: run the benchmark there too before comparing numbers.

`--tables` summarises accuracy tables that exist, one per seed, and makes no run.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml
from side_by_side import report

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config" / "config.yaml"
COLUMNS = {
    "seen classes": ("seen", "all"),
    "seen, 1 image per class": ("seen", "1"),
    "unseen classes": ("unseen", "all"),
    "unseen, 1 image per class": ("unseen", "1"),
}
# The table needs no other runs, numbers of images or fine-tuning.
LESS = ("beside=[]", "evaluation={image_counts: [1], finetuning: {epochs: []}}")


def accuracy_table(seed: int, cores: int) -> Path:
    """Run a seed up to its accuracy table, and return the path of the table."""
    name = f"{yaml.safe_load(CONFIG.read_text(encoding='utf-8'))['run']}-seed-{seed}"
    table = Path("results", name, "tables", "accuracy.csv")
    command = [sys.executable, "-m", "snakemake", table, "--cores", str(cores), "--configfile", CONFIG]
    subprocess.run([*command, "--config", f"run={name}", f"seed={seed}", *LESS], cwd=ROOT, check=True)
    return ROOT / table


def accuracies(table: Path) -> pd.DataFrame:
    """Return accuracies without fine-tuning of the run of a table: methods as rows, and its columns."""
    rows = pd.read_csv(table, dtype={"images": str})
    rows = rows[(rows["run"] == rows["run"].iloc[0]) & (rows["epochs"] == 0)]
    columns = {}
    for column, (classes, images) in COLUMNS.items():
        selected = rows[(rows["classes"] == classes) & (rows["images"] == images)]
        columns[column] = selected.set_index("sampler")["accuracy"]
    return pd.DataFrame(columns)


def summarise(tables: list[Path]) -> list[dict[str, str]]:
    """Return one row per method, best first: mean, minimum and maximum of the accuracy over the tables, in %."""
    every = pd.concat([accuracies(table) for table in tables]) * 100
    groups = every.groupby(level=0, sort=False)
    means, least, most = groups.mean(), groups.min(), groups.max()
    rows = []
    for method in means.sort_values("seen classes", ascending=False).index:
        cells = {}
        for column in COLUMNS:
            mean, low, high = (table.loc[method, column] for table in (means, least, most))
            cells[column] = f"{mean:.1f} ({low:.1f} to {high:.1f})" if pd.notna(mean) else ""
        rows.append({"method": method, **cells})
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--tables", type=Path, nargs="+", help="accuracy tables of runs that were made, one per seed")
    given = parser.parse_args()
    made = given.tables or [accuracy_table(seed, given.cores) for seed in given.seeds]
    report("seeds", summarise(made), {"seeds": len(made)}, keep=given.tables is None)
