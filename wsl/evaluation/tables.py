"""Tables of the report: means over members or tasks with 95 % intervals."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from wsl.files import read_json, write_csv, write_json

METHODS = ("chance", "mean", "nearest", "sampled", "reconstructed", "trained")


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return mean, low and high of a 95 % t interval over values (n,); NaN bounds where n is 1."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    reach = float(stats.sem(values) * stats.t.ppf(0.975, len(values) - 1))
    return mean, mean - reach, mean + reach


def reconstruction_table(measured: str | Path, out: str | Path) -> None:
    """Write Table 4.1: a row a metric and stage, averaged over members (both snapshots of one averaged first)."""
    table = pd.read_csv(measured)
    metrics = ["cosine", "correlation", "agreement", "accuracy", "original_accuracy"]
    by_member = table.groupby(["stage", "member"])[metrics].mean().reset_index()
    rows = []
    for stage, group in by_member.groupby("stage"):
        for metric in metrics:
            mean, low, high = interval(group[metric].to_numpy())
            rows.append(
                {"stage": stage, "metric": metric, "mean": mean, "low": low, "high": high, "members": len(group)}
            )
    write_csv(out, pd.DataFrame(rows).round(4))


def sampling_table(measured: str | Path, out: str | Path) -> None:
    """Write the accuracy of each method over held-out tasks."""
    table = pd.read_csv(measured)
    rows = []
    for method in METHODS:
        values = table.loc[table["method"] == method, "accuracy"].to_numpy()
        if len(values):
            mean, low, high = interval(values)
            rows.append({"method": method, "accuracy": mean, "low": low, "high": high, "tasks": len(values)})
    write_csv(out, pd.DataFrame(rows).round(4))


def write_summary(
    classes: str | Path,
    members: str | Path,
    reconstruction: str | Path,
    sampling: str | Path,
    shared_history: str | Path,
    bins: str | Path,
    out: str | Path,
) -> None:
    """Write the main numbers of a run as JSON, for the report and the end of a run."""
    images, zoo = pd.read_csv(classes), pd.read_csv(members)
    tables = pd.read_csv(reconstruction).set_index(["stage", "metric"])["mean"]
    accuracies = pd.read_csv(sampling).set_index("method")["accuracy"]
    history = pd.read_csv(shared_history)
    write_json(
        out,
        {
            "classes": len(images),
            "images_skipped": int(images["skipped"].sum()),
            "members": len(zoo),
            "members_diverged": int(zoo["diverged"].sum()),
            "validation_accuracy_max": float(zoo["max_validation_accuracy"].mean()),
            "agreement": float(tables["pca-ae", "agreement"]),
            "agreement_pca": float(tables["pca", "agreement"]),
            "cosine": float(tables["pca-ae", "cosine"]),
            "correlation": float(tables["pca-ae", "correlation"]),
            "shared_validation_loss": float(history.loc[history["kept"], "validation_loss"].iloc[0]),
            "shared_chance_loss": float(history["validation_chance"].iloc[0]),
            "outcome_bins_filled": int(np.count_nonzero(read_json(bins)["counts"])),
            "accuracy": {method: float(value) for method, value in accuracies.items()},
        },
    )
