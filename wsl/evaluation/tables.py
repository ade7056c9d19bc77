"""Tables of the report: means over members or tasks with 95 % intervals."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from wsl.files import read_json, write_csv, write_json

# What samplers are measured against: none of these is sampled from (D, R).
RIVALS = (
    *("trained", "reconstructed", "scratch", "start", "mean", "nearest", "noised"),
    *("prototypes", "probe", "body-prototypes", "body-probe"),
)


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


def accuracy_table(
    judgements: Sequence[str | Path],
    out: str | Path,
    recalibration: str | Path,
    regime: str,
    run: str,
    members: int,
    beside: Sequence[str | Path] = (),
) -> None:
    """Write the accuracy of every sampler and rival, a row a kind of classes, images looked at and epochs.

    Args:
        judgements: see ``wsl.evaluation.protocol.judge``.
        out: CSV with ``run``, ``regime``, ``members``, ``classes`` (``seen`` by other members, ``unseen``, or
            ``validation``: seen, and judged on validation images), ``sampler``, ``images``, ``epochs``, ``accuracy``,
            ``low``, ``high`` (95 % over tasks, draws averaged first), ``tasks``, ``seeds``, ``chosen``: whether it is
            the sampler of the highest accuracy on validation tasks without fine-tuning, all images seen.
        recalibration: CSV of accuracies as decoded and with new batch-normalisation statistics.
        run, regime, members: the run's name, how its members start, and how many of them it was trained on.
        beside: tables like ``out`` of other runs, added below.
    """
    table = pd.concat([pd.read_csv(path, dtype={"images": str}) for path in judgements], ignore_index=True)
    table["classes"] = table["part"].replace({"test": "seen"})
    keys = ["classes", "method", "images", "epochs"]
    rows = [
        {"run": run, "regime": regime, "members": members, **dict(zip(keys, key, strict=True)), **_over_tasks(group)}
        for key, group in table[table["recalibrated"]].groupby(keys, sort=False)
    ]
    found = pd.DataFrame(rows).rename(columns={"method": "sampler"})
    found["chosen"] = found["sampler"] == chosen_sampler(found)
    others = [pd.read_csv(path) for path in beside]
    # A run's table may itself hold others: each run's own rows alone.
    others = [other[other["run"] == other["run"].iloc[0]] for other in others]
    write_csv(out, pd.concat([found.round(4), *others], ignore_index=True))
    whole = table[(table["images"] == "all") & (table["epochs"] == 0) & (table["draw"] == 0)]
    both = whole[whole["method"].isin(whole.loc[~whole["recalibrated"], "method"])]
    effects = [
        {"classes": classes, "sampler": method, "recalibrated": done, **_over_tasks(group)}
        for (classes, method, done), group in both.groupby(["classes", "method", "recalibrated"], sort=False)
    ]
    columns = ["classes", "sampler", "recalibrated", "accuracy", "low", "high", "tasks", "seeds"]
    write_csv(recalibration, pd.DataFrame(effects, columns=columns).round(4))


def chosen_sampler(table: pd.DataFrame) -> str:
    """Return the sampler of the highest accuracy on validation tasks, all images seen, without fine-tuning."""
    candidates = table[(table["classes"] == "validation") & (table["images"] == "all") & (table["epochs"] == 0)]
    candidates = candidates[~candidates["sampler"].isin(RIVALS)]
    return candidates.loc[candidates["accuracy"].idxmax(), "sampler"]


def _over_tasks(group: pd.DataFrame) -> dict[str, float]:
    by_task = group.groupby("member")["accuracy"].mean().to_numpy()
    mean, low, high = interval(by_task)
    return {"accuracy": mean, "low": low, "high": high, "tasks": len(by_task), "seeds": group["draw"].nunique()}


def write_summary(
    classes: str | Path,
    members: str | Path,
    reconstruction: str | Path,
    accuracy: str | Path,
    shared_history: str | Path,
    bins: str | Path,
    out: str | Path,
    classes_per_task: int,
) -> None:
    """Write the main numbers of a run as JSON, for the report and the end of a run."""
    images, zoo = pd.read_csv(classes), pd.read_csv(members)
    tables = pd.read_csv(reconstruction).set_index(["stage", "metric"])["mean"]
    accuracies = pd.read_csv(accuracy)
    accuracies = accuracies[accuracies["run"] == accuracies["run"].iloc[0]]
    held_out = accuracies[(accuracies["images"] == "all") & (accuracies["epochs"] == 0)]
    history = pd.read_csv(shared_history)
    write_json(
        out,
        {
            "classes": len(images),
            "images_skipped": int(images["skipped"].sum()),
            "images_shared": int(images["shared"].sum()),
            "members": len(zoo),
            "members_diverged": int(zoo["diverged"].sum()),
            "validation_accuracy_max": float(zoo["max_validation_accuracy"].mean()),
            "agreement": float(tables["latent", "agreement"]),
            "agreement_pca": float(tables["pca", "agreement"]),
            "cosine": float(tables["latent", "cosine"]),
            "correlation": float(tables["latent", "correlation"]),
            "shared_validation_loss": float(history.loc[history["kept"], "validation_loss"].iloc[0]),
            "shared_chance_loss": float(history["validation_chance"].iloc[0]),
            "outcome_bins_filled": int(np.count_nonzero(read_json(bins)["counts"])),
            "chance": 1 / classes_per_task,
            "chosen_sampler": str(accuracies.loc[accuracies["chosen"], "sampler"].iloc[0]),
            "accuracy": {
                classes: dict(zip(group["sampler"], group["accuracy"].tolist(), strict=True))
                for classes, group in held_out.groupby("classes", sort=False)
            },
        },
    )
