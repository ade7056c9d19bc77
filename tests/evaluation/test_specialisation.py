"""The gain over the best body for all tasks, worked by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from wsl.evaluation.specialisation import COLUMNS, best_body, write_specialisation
from wsl.sampling.methods.base import METHODS
from wsl.zoo.few_sets import MEMBERS

TASKS = ["a/b/c", "d/e/f", "g/h/i"]
BODIES = ["prototypes", "probe", "soup-probe"]


def rows(sampler, classes, values, epochs=0, tasks=TASKS, draw=0):
    about = {"classes": classes, "sampler": sampler, "epochs": epochs, "images": "all", "recalibrated": True}
    each = enumerate(zip(tasks, values, strict=True))
    return [
        {**about, "draw": draw, "member": member, "task": task, "accuracy": value} for member, (task, value) in each
    ]


@pytest.fixture
def measured():
    """``probe`` is the best body on validation tasks, and ``prototypes`` on test tasks."""
    return pd.DataFrame(
        [
            *rows("prototypes", "validation", [0.7, 0.7, 0.7]),
            *rows("probe", "validation", [0.8, 0.8, 0.8]),
            *rows("flow", "validation", [0.9, 0.9, 0.9]),
            *rows("prototypes", "seen", [0.9, 0.9, 0.9]),
            *rows("probe", "seen", [0.7, 0.8, 0.6]),
            *rows("probe", "seen", [0.75, 0.8, 0.85], epochs=5),
            *rows("trained", "seen", [0.9, 0.85, 0.9]),
        ]
    )


def table(measured, path, **about):
    write_specialisation(measured, path, BODIES, **about)
    return pd.read_csv(path).set_index(["sampler", "epochs"])


def test_gains_are_means_of_differences_on_the_same_task(measured, tmp_path):
    found = table(measured, tmp_path / "out.csv")
    gains = np.array([0.2, 0.05, 0.3])
    gap = found.loc[("trained", 0)]
    assert (gap["accuracy"], gap["gain"], gap["body"]) == (0.8833, pytest.approx(gains.mean(), abs=1e-4), "probe")
    # On the scale of logits of (gain + 1) / 2, as all bounded differences.
    share = (gains.mean() + 1) / 2
    reach = stats.t.ppf(0.975, 2) * stats.sem(gains) / (2 * share * (1 - share))
    low, high = (2 / (1 + np.exp(-(np.log(share / (1 - share)) + sign * reach))) - 1 for sign in (-1, 1))
    assert (gap["low"], gap["high"]) == pytest.approx((low, high), abs=1e-4)
    assert found.loc[("probe", 0), "gain"] == 0
    assert found.loc[("probe", 5), "gain"] == pytest.approx(np.mean([0.05, 0.0, 0.25]), abs=1e-4)
    assert found.loc[("prototypes", 0), "gain"] == pytest.approx(0.2, abs=1e-4)


def test_the_body_is_chosen_on_validation_tasks_without_fine_tuning(measured):
    tuned = pd.DataFrame(rows("prototypes", "validation", [1.0, 1.0, 1.0], epochs=5))
    assert best_body(pd.concat([measured, tuned]), BODIES) == "probe"  # neither `prototypes` nor the sampler `flow`


def test_members_that_share_a_task_are_compared_with_its_one_model(tmp_path):
    one = ["a/b/c"] * 3
    measured = pd.DataFrame(
        [
            *rows("probe", "validation", [0.8], tasks=one[:1]),
            *rows("probe", "seen", [0.6], tasks=one[:1]),
            *rows("trained", "seen", [0.7, 0.8, 0.9], tasks=one),
        ]
    )
    gap = table(measured, tmp_path / "out.csv", unit=MEMBERS).loc[("trained", 0)]
    assert gap["gain"] == pytest.approx(0.2) and gap["tasks"] == 3 and gap["unit"] == MEMBERS


def test_without_such_a_method_the_table_is_empty(measured, tmp_path):
    write_specialisation(measured, tmp_path / "out.csv", [])
    assert pd.read_csv(tmp_path / "out.csv").columns.tolist() == COLUMNS


def test_the_methods_with_one_body():
    with_one = {name for name in METHODS if METHODS[name].one_body and METHODS[name].__module__.startswith("wsl.")}
    plain = {"generator", "prototypes", "probe", "body-prototypes", "body-probe"}
    merged = [name for name in METHODS if hasattr(METHODS[name], "merge")]
    assert with_one == plain | {name for name in merged if not name.startswith("nearest-")}
