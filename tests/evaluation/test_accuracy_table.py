"""The table of accuracies against scipy and manual calculations."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit

from wsl.evaluation.tables import accuracy_table, chosen_sampler
from wsl.sampling.methods.base import METHODS

RUN = {"regime": "shared", "run": "own", "members": 17}
KINDS = {name: METHODS[name].kind for name in METHODS}
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
        out, recalibration = tmp_path / "accuracy.csv", tmp_path / "recalibration.csv"
        accuracy_table(paths, out, recalibration, RUN, KINDS, beside)
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
