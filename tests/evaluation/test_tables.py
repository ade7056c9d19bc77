"""Tables of the report against scipy and manual calculations."""

import json

import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit

from wsl.evaluation.tables import reconstruction_table, write_summary

ACCURACY = ("run", "classes", "sampler", "kind", "images", "epochs", "accuracy", "low", "high", "sets", "chosen")


AGREEMENT = {
    # (member, task): agreement of the untrained, the early and the trained snapshot; 1 and 2 share their classes.
    (1, "a/b"): (0.0, 0.5, 0.6),
    (2, "b/a"): (0.0, 0.7, 0.8),
    (3, "a/c"): (0.1, 0.8, 0.9),
}


@pytest.fixture
def reconstruction(tmp_path):
    """Returns the table of reconstructions, by stage, kind of snapshot and metric."""

    def table_of(snapshots):
        rows = [
            {"stage": stage, "member": member, "task": task, "snapshot": snapshot, "agreement": value, "accuracy": 0.5}
            | {"cosine": -value, "correlation": value / 2, "original_accuracy": 1.0}
            for stage in ("pca", "latent")
            for (member, task), values in AGREEMENT.items()
            for snapshot, value in zip(("epoch0", "early", "max"), values, strict=True)
            if snapshot in snapshots
        ]
        pd.DataFrame(rows).to_csv(tmp_path / "m.csv", index=False)
        reconstruction_table(tmp_path / "m.csv", tmp_path / "t.csv")
        return pd.read_csv(tmp_path / "t.csv").set_index(["stage", "snapshot", "metric"])

    return table_of


def test_reconstructions_have_rows_per_kind_of_snapshot_the_trained_model_first(reconstruction):
    table = reconstruction(("epoch0", "early", "max"))
    kinds = [kind for stage, kind, metric in table.index if (stage, metric) == ("latent", "agreement")]
    assert kinds == ["max", "early+max", "early", "epoch0"]
    means = {kind: table.loc[("latent", kind, "agreement"), "mean"] for kind in kinds}
    # Over the sets {a, b}, whose two members are averaged first, and {a, c}.
    assert means == pytest.approx({"max": 0.8, "early+max": 0.75, "early": 0.7, "epoch0": 0.05})
    row = table.loc[("latent", "max", "agreement")]
    reach = stats.t.ppf(0.975, 1) * 0.1 / (0.8 * 0.2)
    assert (row["low"], row["high"]) == pytest.approx(expit([logit(0.8) - reach, logit(0.8) + reach]), abs=1e-4)
    assert (row["tasks"], row["sets"]) == (3, 2)
    assert table.loc[("pca", "max", "cosine"), "mean"] == pytest.approx(-0.8)
    assert table.loc[("pca", "max", "correlation"), "mean"] == pytest.approx(0.4)
    assert table["low"].min() >= -1 and table["high"].max() <= 1


def test_untrained_snapshots_do_not_change_other_rows(reconstruction):
    with_them = reconstruction(("epoch0", "early", "max"))
    without = reconstruction(("early", "max"))
    pd.testing.assert_frame_equal(with_them.drop("epoch0", level="snapshot"), without)
    assert {kind for _, kind, _ in reconstruction(("epoch0", "max")).index} == {"max", "epoch0"}


def test_summary_quotes_the_tables(tmp_path):
    def table(name, content):
        pd.DataFrame(content).to_csv(tmp_path / name, index=False)
        return tmp_path / name

    # Untrained models and the mean of both kinds do not enter the summary.
    metrics = [
        (stage, kind, metric, value, value - 0.05, value + 0.05, 4)
        for kind, worse in (("max", 0.0), ("early+max", 0.2), ("epoch0", 0.3))
        for stage, metric, value in (
            *(("pca", "agreement", 0.7 - worse), ("pca", "cosine", 0.3), ("pca", "correlation", 0.3)),
            *(("latent", "agreement", 0.6 - worse), ("latent", "cosine", 0.5 - worse)),
            ("latent", "correlation", 0.4 - worse),
        )
    ]
    columns = ("stage", "snapshot", "metric", "mean", "low", "high", "sets")
    rows = [
        ("own", "validation", "flow", "sampler", "all", 0, 0.55, 0.5, 0.6, 3, True),
        ("own", "seen", "flow", "sampler", "5", 0, 0.4, 0.3, 0.5, 6, True),
        ("own", "seen", "flow", "sampler", "all", 0, 0.5, 0.4, 0.6, 6, True),
        ("own", "seen", "flow", "sampler", "all", 3, 0.9, 0.8, 0.95, 6, True),
        ("own", "seen", "trained", "reference", "all", 0, 0.95, 0.9, 0.98, 5, False),
        ("own", "unseen", "flow", "sampler", "all", 0, 0.45, None, None, 1, True),
        ("other", "seen", "projection", "sampler", "all", 0, 0.1, 0.0, 0.2, 9, True),
    ]
    history = {"epoch": [1, 2, 3], "validation_loss": [3.0, 1.5, 2.0], "kept": [False, True, False]}
    bins = tmp_path / "bins.json"
    bins.write_text(json.dumps({"edges": [0, 1, 2, 3], "counts": [4, 0, 1]}))
    write_summary(
        table("classes.csv", {"class": ["a", "b"], "skipped": [1, 4], "shared": [0, 2]}),
        table("members.csv", {"member": [0, 1, 2], "diverged": [False, True, False]}
              | {"max_validation_accuracy": [0.5, None, 0.9]}),
        table("r.csv", [dict(zip(columns, row, strict=True)) for row in metrics]),
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
    expected["accuracy_intervals"] = {
        "validation": {"flow": [0.5, 0.6]},
        "seen": {"flow": [0.4, 0.6], "trained": [0.9, 0.98]},
        "unseen": {"flow": [None, None]},
    }
    expected["sets"] = {"validation": 3, "seen": 6, "unseen": 1}
    expected["kinds"] = {"flow": "sampler", "trained": "reference"}
    assert {key: summary[key] for key in expected} == expected
    assert summary["reconstruction_sets"] == 4
    assert summary["reconstruction_intervals"]["agreement"] == pytest.approx([0.55, 0.65])
