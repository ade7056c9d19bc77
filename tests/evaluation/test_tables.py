"""Tables of the report against scipy, and sums done by hand."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from wsl.evaluation.tables import interval, reconstruction_table, write_summary

ACCURACY = ("run", "classes", "sampler", "images", "epochs", "accuracy", "chosen")


def test_interval_is_scipys_t_interval():
    values = np.random.default_rng(0).normal(size=9)
    low, high = stats.t.interval(0.95, df=8, loc=values.mean(), scale=stats.sem(values))
    assert interval(values) == pytest.approx((values.mean(), low, high))


def test_a_single_value_has_no_interval():
    mean, low, high = interval(np.array([0.25]))
    assert mean == 0.25 and np.isnan(low) and np.isnan(high)


def test_reconstruction_table_averages_a_members_snapshots_first(tmp_path):
    agreement = {(1, "early"): 0.2, (1, "max"): 0.4, (2, "early"): 0.8, (2, "max"): 1.0}
    rows = [
        {"stage": stage, "member": member, "snapshot": snapshot, "agreement": value, "accuracy": 0.5}
        | {"cosine": -value, "correlation": value / 2, "original_accuracy": 1.0}
        for stage in ("pca", "latent")
        for (member, snapshot), value in agreement.items()
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "m.csv", index=False)
    reconstruction_table(tmp_path / "m.csv", tmp_path / "t.csv")
    table = pd.read_csv(tmp_path / "t.csv").set_index(["stage", "metric"])
    # Members average 0.3 and 0.9; half the interval is t(0.975, 1) * 0.3 = 12.7062 * 0.3.
    row = table.loc[("latent", "agreement")]
    assert (row["mean"], row["members"]) == (0.6, 2)
    assert (row["low"], row["high"]) == pytest.approx((0.6 - 3.8119, 0.6 + 3.8119), abs=1e-4)
    assert table.loc[("pca", "cosine"), "mean"] == -0.6 and table.loc[("pca", "correlation"), "mean"] == 0.3


def test_summary_quotes_the_tables(tmp_path):
    def table(name, content):
        pd.DataFrame(content).to_csv(tmp_path / name, index=False)
        return tmp_path / name

    metrics = [("pca", "agreement", 0.7), ("latent", "agreement", 0.6), ("latent", "cosine", 0.5)]
    metrics += [("latent", "correlation", 0.4)]
    rows = [
        ("own", "validation", "flow", "all", 0, 0.55, True), ("own", "seen", "flow", "5", 0, 0.4, True),
        ("own", "seen", "flow", "all", 0, 0.5, True), ("own", "seen", "flow", "all", 3, 0.9, True),
        ("own", "seen", "trained", "all", 0, 0.95, False), ("own", "unseen", "flow", "all", 0, 0.45, True),
        ("other", "seen", "projection", "all", 0, 0.1, True),
    ]  # fmt: skip
    history = {"epoch": [1, 2, 3], "validation_loss": [3.0, 1.5, 2.0], "kept": [False, True, False]}
    bins = tmp_path / "bins.json"
    bins.write_text(json.dumps({"edges": [0, 1, 2, 3], "counts": [4, 0, 1]}))
    write_summary(
        table("classes.csv", {"class": ["a", "b"], "skipped": [1, 4], "shared": [0, 2]}),
        table("members.csv", {"member": [0, 1, 2], "diverged": [False, True, False]}
              | {"max_validation_accuracy": [0.5, None, 0.9]}),
        table("r.csv", [dict(zip(("stage", "metric", "mean"), row, strict=True)) for row in metrics]),
        table("a.csv", [dict(zip(ACCURACY, row, strict=True)) for row in rows]),
        table("h.csv", {**history, "validation_chance": [2.7] * 3}),
        bins,
        tmp_path / "summary.json",
        classes_per_task=4,
    )  # fmt: skip
    summary = json.loads((tmp_path / "summary.json").read_text())
    expected = {
        "classes": 2,
        "images_skipped": 5,
        "images_shared": 2,
        "members": 3,
        "members_diverged": 1,
        "outcome_bins_filled": 2,
    }
    expected |= {"validation_accuracy_max": 0.7, "agreement": 0.6, "agreement_pca": 0.7, "shared_validation_loss": 1.5}
    expected |= {"shared_chance_loss": 2.7, "cosine": 0.5, "correlation": 0.4}
    expected |= {"chance": 0.25, "chosen_sampler": "flow"}
    expected["accuracy"] = {
        "validation": {"flow": 0.55},
        "seen": {"flow": 0.5, "trained": 0.95},
        "unseen": {"flow": 0.45},
    }
    assert {key: summary[key] for key in expected} == expected
