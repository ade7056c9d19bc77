"""Tables of the report against scipy and manual calculations."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit

from wsl.evaluation.tables import SummaryInputs, accuracy_table, chosen_sampler, reconstruction_table, write_summary
from wsl.sampling.methods.base import METHODS

RUN = {"regime": "shared", "run": "own", "members": 17}
KINDS = {name: METHODS[name].kind for name in METHODS}
ACCURACY = ("run", "classes", "sampler", "kind", "images", "epochs", "accuracy", "low", "high", "sets", "chosen")
COLUMNS = ["part", "member", "task", "method", "draw", "images", "epochs", "recalibrated", "accuracy"]


def judgement(method, values, part="test", draw=0, images="all", epochs=0, recalibrated=True, tasks=None):
    """Rows of one method, one accuracy per member; by default their tasks have distinct sets of classes."""
    about = (method, draw, images, epochs, recalibrated)
    tasks = tasks or [f"{member}/x/y" for member in range(len(values))]
    return [(part, member, task, *about, value) for member, (task, value) in enumerate(zip(tasks, values, strict=True))]


def on_logits(values):
    """The 95 % t interval of a mean on the scale of logits, mapped back."""
    mean = np.mean(values)
    reach = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) / (mean * (1 - mean))
    return expit([logit(mean) - reach, logit(mean) + reach])


@pytest.fixture
def make(tmp_path):
    """Returns both tables, written from one file of rows per method and draw."""

    def tables_of(rows, beside=()):
        frame, paths = pd.DataFrame(rows, columns=COLUMNS), []
        for (method, draw), group in frame.groupby(["method", "draw"], sort=False):
            paths.append(tmp_path / f"{method}-{draw}.csv")
            group.to_csv(paths[-1], index=False)
        out, recalibration, gains = (tmp_path / f"{name}.csv" for name in ("accuracy", "recalibration", "gains"))
        accuracy_table(paths, out, recalibration, gains, RUN, KINDS, beside)
        return pd.read_csv(out), pd.read_csv(recalibration)

    return tables_of


def row(table, **about):
    """The only row with these values."""
    (row,) = table[(table[list(about)] == pd.Series(about)).all(axis=1)].to_dict("records")
    return row


VALIDATION = [*judgement("flow", [0.7, 0.8], "validation"), *judgement("projection", [0.4, 0.5], "validation")]


def test_draws_are_averaged_before_tasks(make):
    draws = np.array([[0.5, 0.9, 0.7], [0.7, 0.5, 0.8]])
    rows = [*VALIDATION, *judgement("flow", draws[0]), *judgement("flow", draws[1], draw=1)]
    table, _ = make(rows)
    found, tasks = row(table, sampler="flow", classes="seen"), draws.mean(axis=0)
    low, high = on_logits(tasks)
    assert (found["accuracy"], found["low"], found["high"]) == pytest.approx((tasks.mean(), low, high), abs=1e-4)
    assert (found["tasks"], found["sets"], found["seeds"]) == (3, 3, 2)
    assert (found["run"], found["regime"]) == ("own", "shared")


def test_six_tasks_on_three_sets_of_classes_are_three_values(make):
    # The held-out tasks of an early default run: 3/7/8 three times, 1/8/9 twice, 1/3/8 once.
    tasks = ["3/7/8", "8/3/7", "7/8/3", "1/8/9", "9/1/8", "3/1/8"]
    table, _ = make([*VALIDATION, *judgement("flow", [0.98, 0.99, 1.0, 0.96, 0.98, 0.9], tasks=tasks)])
    found, values = row(table, sampler="flow", classes="seen"), [0.99, 0.97, 0.9]
    assert (found["accuracy"], *on_logits(values)) == pytest.approx(
        (np.mean(values), found["low"], found["high"]), abs=1e-4
    )
    assert (found["tasks"], found["sets"]) == (6, 3)
    assert found["low"] < 0.9 and found["high"] < 1


def test_methods_have_their_kinds(make):
    rows = [*VALIDATION, *judgement("trained", [0.9]), *judgement("body-probe", [0.9]), *judgement("flow", [0.8])]
    table, _ = make(rows)
    kinds = dict(zip(table["sampler"], table["kind"], strict=True))
    assert kinds == {
        "flow": "sampler", "projection": "sampler", "trained": "reference", "body-probe": "baseline"
    }  # fmt: skip


def test_every_kind_of_classes_images_and_epochs_has_a_row(make):
    rows = [*VALIDATION, *judgement("flow", [0.5, 0.6], images=5), *judgement("flow", [0.7, 0.8])]
    rows += [*judgement("flow", [0.8, 0.9], epochs=3), *judgement("flow", [0.2, 0.3], "unseen", images=0)]
    table, _ = make(rows)
    found = {tuple(key): value for *key, value in table[["classes", "sampler", "images", "epochs", "accuracy"]].values}
    assert found == {
        ("validation", "flow", "all", 0): 0.75,
        ("validation", "projection", "all", 0): 0.45,
        ("seen", "flow", "5", 0): 0.55,
        ("seen", "flow", "all", 0): 0.75,
        ("seen", "flow", "all", 3): 0.85,
        ("unseen", "flow", "0", 0): 0.25,
    }


def test_the_sampler_is_chosen_on_validation_tasks_alone(make):
    # The projection is better on test tasks, with few images and after fine-tuning; baselines are better everywhere.
    rows = [*VALIDATION, *judgement("flow", [0.1, 0.2]), *judgement("projection", [0.9, 1.0])]
    rows += judgement("projection", [0.9, 1.0], epochs=3) + judgement("projection", [0.9, 1.0], images=5)
    for other in METHODS.of_kind("baseline", "reference"):
        rows += judgement(other, [1.0, 1.0], "validation") + judgement(other, [1.0, 1.0])
    table, _ = make(rows)
    assert set(table.loc[table["chosen"], "sampler"]) == {"flow"}
    assert table.loc[table["sampler"] == "flow", "chosen"].all()
    assert chosen_sampler(table.assign(accuracy=1 - table["accuracy"])) == "projection"


def test_samplers_that_select_on_validation_images_are_marked_and_not_chosen_among_others(tmp_path):
    rows = [*VALIDATION, *judgement("kde-subsampled", [0.95, 0.96], "validation")]
    frame, paths = pd.DataFrame(rows, columns=COLUMNS), []
    for name, group in frame.groupby("method"):
        paths.append(tmp_path / f"{name}.csv")
        group.to_csv(paths[-1], index=False)
    files = [tmp_path / f"{name}.csv" for name in ("accuracy", "recalibration", "specialisation")]
    accuracy_table(paths, *files, RUN, KINDS, selecting=["kde-subsampled"])
    table = pd.read_csv(files[0]).set_index("sampler")
    assert table["selection"].to_dict() == {
        "flow": "none", "projection": "none", "kde-subsampled": "validation images"
    }  # fmt: skip
    assert table.index[table["chosen"]].tolist() == ["flow"]
    accuracy_table([path for path in paths if "kde" in path.name], *files, RUN, KINDS, selecting=["kde-subsampled"])
    assert pd.read_csv(files[0])["chosen"].all()  # there is no other
    assert {name for name in METHODS if METHODS[name].selects} == {"kde-subsampled", "kde-bootstrapped"}


def test_models_as_decoded_are_only_in_the_table_of_recalibration(make):
    rows = [*VALIDATION, *judgement("flow", [0.6, 0.8]), *judgement("flow", [0.2, 0.4], recalibrated=False)]
    rows += [*judgement("flow", [0.9, 0.9], draw=1), *judgement("flow", [0.95, 0.95], epochs=1)]
    rows += [*judgement("flow", [0.1, 0.1], images=5), *judgement("trained", [1.0, 1.0])]
    table, recalibration = make(rows)
    assert row(table, sampler="flow", classes="seen", images="all", epochs=0)["accuracy"] == pytest.approx(0.8)
    found = {
        tuple(key): value for *key, value in recalibration[["classes", "sampler", "recalibrated", "accuracy"]].values
    }
    assert found == {("validation", "flow", True): 0.75, ("seen", "flow", True): 0.7, ("seen", "flow", False): 0.3}
    found = row(recalibration, classes="seen", recalibrated=False)
    assert (found["low"], found["high"]) == pytest.approx(on_logits([0.2, 0.4]), abs=1e-4)
    assert (found["tasks"], found["sets"]) == (2, 2)


def test_the_sampler_is_chosen_over_sets_of_classes(make):
    # Flow is better over tasks, the projection over sets: three tasks of one set count once.
    tasks = ["a/b", "b/a", "a/b", "a/c"]
    rows = judgement("flow", [0.9, 0.9, 0.9, 0.5], "validation", tasks=tasks)
    rows += judgement("projection", [0.8, 0.8, 0.8, 0.7], "validation", tasks=tasks)
    table, _ = make([*rows, *judgement("flow", [0.9]), *judgement("projection", [0.1])])
    assert set(table.loc[table["chosen"], "sampler"]) == {"projection"}


def test_without_models_as_decoded_the_table_of_recalibration_is_empty(make):
    _, recalibration = make(VALIDATION)
    assert recalibration.empty and "recalibrated" in recalibration


def test_tables_of_other_runs_are_added_once_each(make, tmp_path):
    own, _ = make(VALIDATION)
    beside = []
    for run, held in (("b", ["b"]), ("c", ["c", "b", "own"])):
        beside.append(tmp_path / f"{run}.csv")
        pd.concat([own.assign(run=name, accuracy=0.01 * len(name)) for name in held]).to_csv(beside[-1], index=False)
    table, _ = make(VALIDATION, beside)
    assert table["run"].tolist() == ["own"] * len(own) + ["b"] * len(own) + ["c"] * len(own)
    pd.testing.assert_frame_equal(table[table["run"] == "own"], own)


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
        (stage, kind, metric, value, value - 0.05, value + 0.05, 4, "sets of classes")
        for kind, worse in (("max", 0.0), ("early+max", 0.2), ("epoch0", 0.3))
        for stage, metric, value in (
            *(("pca", "agreement", 0.7 - worse), ("pca", "cosine", 0.3), ("pca", "correlation", 0.3)),
            *(("latent", "agreement", 0.6 - worse), ("latent", "cosine", 0.5 - worse)),
            ("latent", "correlation", 0.4 - worse),
        )
    ]
    columns = ("stage", "snapshot", "metric", "mean", "low", "high", "sets", "unit")
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
    write_summary(SummaryInputs(
        table("classes.csv", {"class": ["a", "b"], "skipped": [1, 4], "shared": [0, 2]}),
        table("members.csv", {"member": [0, 1, 2], "diverged": [False, True, False]}
              | {"max_validation_accuracy": [0.5, None, 0.9]}),
        table("r.csv", [dict(zip(columns, row, strict=True)) for row in metrics]),
        table("a.csv", [dict(zip(ACCURACY, row, strict=True)) for row in rows]),
        table("h.csv", {**history, "validation_chance": [2.7] * 3}),
        bins),
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
    assert (summary["reconstruction_sets"], summary["unit"]) == (4, "sets of classes")
    assert summary["reconstruction_intervals"]["agreement"] == pytest.approx([0.55, 0.65])
