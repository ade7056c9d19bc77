"""Control by R against scikit-learn, scipy and manual calculations, with a fake sampler."""

import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, log_loss, r2_score

from tests.models import LAYOUT, outputs, photos
from wsl.evaluation.control import (
    control_table,
    judge_control,
    measure_control,
    prompt_alignment,
    rank_correlation,
    summarise_control,
)
from wsl.evaluation.null_arms import ARMS
from wsl.evaluation.validation import ValidationImages, held_out_tasks, requested_losses
from wsl.images.tasks import TaskImages
from wsl.sampling.loading import Choice, OpenRun
from wsl.zoo.member import read_member

TASKS = pd.DataFrame({"part": ["test", "unseen"], "member": [4, 9], "task": ["0/3/2", "4/1/3"]})


class FakeSampler:
    """Returns the same weights for all requests, and records the requests."""

    recalibrate = False

    def __init__(self, weights):
        self.weights, self.requests = weights, []

    def sample(self, task, loss, images=None, seed=0):
        self.requests.append((task, loss, images, seed))
        return self.weights


@pytest.fixture(scope="module")
def blind(packed, tmp_path_factory):
    """Packed images with the validation part only."""
    folder, paths = tmp_path_factory.mktemp("blind"), []
    for name, path in packed.items():
        paths.append(shutil.copy(path, folder / f"{name}.h5"))
        with h5py.File(paths[-1], "a") as file:
            del file["train"], file["test"]
    return paths


@pytest.fixture
def images(blind):
    return ValidationImages(TaskImages(blind), LAYOUT)


def scores(weights, packed, task):
    """Cross-entropy and accuracy on validation images, by scikit-learn."""
    inputs, labels = photos(packed, task, "validation")
    logits = outputs(weights, inputs)
    return log_loss(labels, logits.softmax(1)), accuracy_score(labels, logits.argmax(1))


def test_requests_are_evenly_spread_over_the_middle_of_the_outcomes():
    outcomes = np.random.default_rng(0).exponential(size=500)
    requests = requested_losses(outcomes, 20)
    assert len(requests) == 20
    assert np.diff(requests) == pytest.approx(np.diff(requests)[0])
    assert ((outcomes < requests[0]).mean(), (outcomes > requests[-1]).mean()) == pytest.approx(
        (0.025, 0.025), abs=2e-3
    )


def test_prompt_alignment_by_hand():
    # Squared errors 0, 0 and 1 over requests whose squares about their mean sum to 2.
    assert prompt_alignment(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 3.0])) == 0.5


def test_prompt_alignment_is_r2_with_requests_as_targets():
    rng = np.random.default_rng(0)
    requested = np.linspace(0, 1, 20)
    achieved = requested + rng.normal(0, 0.2, 20)
    assert prompt_alignment(requested, achieved) == pytest.approx(r2_score(requested, achieved))
    assert prompt_alignment(requested, requested) == 1
    assert prompt_alignment(requested, np.full(20, 0.5)) == pytest.approx(0)
    assert np.isnan(prompt_alignment(requested[:1], achieved[:1]))


def test_rank_correlation_is_scipys_and_0_where_r_is_ignored():
    rng = np.random.default_rng(0)
    requested, achieved = rng.normal(size=(2, 15))
    assert rank_correlation(requested, achieved) == pytest.approx(spearmanr(requested, achieved).statistic)
    assert rank_correlation(requested, np.ones(15)) == 0
    assert np.isnan(rank_correlation(requested[:1], achieved[:1]))


def test_every_task_gets_every_request_and_is_evaluated_on_validation_images(zoo, images, packed):
    sampler = FakeSampler(read_member(zoo.members[4]).weights[1])
    rows = measure_control(sampler, TASKS, np.array([0.1, 0.7]), images, {"sampler": "fake", "draw": 2})
    asked = [(task, loss, None, i) for task in TASKS["task"] for i, loss in enumerate((0.1, 0.7))]
    assert sampler.requests[:4] == asked and rows["arm"].tolist()[:4] == ["asked"] * 4
    assert rows["requested"].tolist() == [0.1, 0.7] * 8
    assert set(rows["sampler"]) == {"fake"} and set(rows["draw"]) == {2}
    for task in TASKS.itertuples():
        loss, accuracy = scores(sampler.weights, packed, task.task.split("/"))
        own = rows[rows["member"] == task.member]
        assert own["part"].tolist() == [task.part] * 8 and own["task"].tolist() == [task.task] * 8
        assert own["achieved"].to_numpy() == pytest.approx(loss, rel=1e-4)
        assert own["accuracy_reached"].to_numpy() == pytest.approx(accuracy)


def test_non_finite_models_have_infinite_loss_and_are_counted(images, tmp_path, caplog):
    sampler = FakeSampler(np.full(LAYOUT.size, np.nan, dtype=np.float32))
    rows = measure_control(sampler, TASKS, np.array([0.1, 0.7, 0.9]), images, {"sampler": "fake", "draw": 0})
    assert np.isposinf(rows["achieved"]).all() and (rows["accuracy_reached"] == 0).all()
    rows.assign(accuracy_asked=0.5).to_csv(tmp_path / "m.csv", index=False)
    control_table([tmp_path / "m.csv"], tmp_path / "t.csv", tmp_path / "p.csv")
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["arm"].tolist() == [arm for arm in ARMS for _ in TASKS["part"]]
    assert table[["tasks", "models", "non_finite"]].drop_duplicates().to_numpy().tolist() == [[0, 3, 3]]
    assert table[["prompt_alignment", "spearman", "pooled_spearman"]].isna().all(axis=None)
    assert "3 of 3 losses are non-finite" in caplog.text
    assert np.isposinf(pd.read_csv(tmp_path / "p.csv")["achieved"]).all()


def test_a_missing_model_is_logged(images, caplog):
    rows = measure_control(FakeSampler(None), TASKS, np.array([0.1]), images, {"sampler": "fake", "draw": 0})
    assert rows.empty and "no model of fake" in caplog.text


def test_summary_averages_draws_first_and_leaves_out_non_finite_losses():
    requested = [0.0, 1.0, 2.0]
    achieved = {
        (1, 0): [0.0, 1.0, 2.0],  # R² 1, ranks 1
        (1, 1): [2.0, 1.0, 0.0],  # R² -3, ranks -1
        (2, 0): [0.0, 1.0, np.inf],  # R² 1 over the finite losses, ranks 1
        (2, 1): [1.0, 1.0, 1.0],  # R² 0, ranks 0
    }
    rows = pd.DataFrame(
        [
            {"part": "test", "sampler": "s", "arm": "asked", "member": member, "task": f"{member}/x"}
            | {"draw": draw, "requested": r, "achieved": a, "accuracy_asked": 1 - r / 2, "accuracy_reached": 0.5}
            for (member, draw), own in achieved.items()
            for r, a in zip(requested, own, strict=True)
        ]
    )
    (row,) = summarise_control(rows).to_dict("records")
    # Tasks' R² are -1 and 0.5, of standard error 0.75; R² has no lower bound, and 1 - R² = 1.25 a logarithm.
    reach = 12.7062 * 0.75 / 1.25
    ends = [1 - 1.25 * np.exp(sign * reach) for sign in (1, -1)]
    assert row["prompt_alignment"] == pytest.approx(-0.25)
    assert [row["prompt_alignment_low"], row["prompt_alignment_high"]] == pytest.approx(ends, rel=1e-4)
    assert row["spearman"] == pytest.approx((0 + 0.5) / 2)
    assert -1 < row["spearman_low"] < 0.25 < row["spearman_high"] < 1
    assert (row["tasks"], row["sets"], row["models"], row["non_finite"]) == (2, 2, 12, 1)
    # Two orders of one set of classes are one value, which has no interval.
    (row,) = summarise_control(rows.assign(task=rows["member"].map({1: "a/b", 2: "b/a"}))).to_dict("records")
    assert row["prompt_alignment"] == pytest.approx(-0.25) and np.isnan(row["prompt_alignment_low"])
    assert (row["tasks"], row["sets"]) == (2, 1)
    finite = rows[np.isfinite(rows["achieved"])]
    assert row["pooled_spearman"] == pytest.approx(spearmanr(finite["requested"], finite["achieved"]).statistic)


def test_a_sampler_is_measured_over_a_runs_files(zoo, method_files, shared, tmp_path):
    out, inputs = tmp_path / "c.csv", method_files([zoo.test, zoo.validation], shared=shared.state)
    choice = Choice(name="projection", known=list("0124"))
    judge_control(inputs, out, choice, requests=3)
    rows = pd.read_csv(out)
    tasks = held_out_tasks([zoo.test])
    assert tasks.to_dict("records") == [{"part": "test", "member": 4, "task": "0/3/2"}]
    rows = rows[rows["part"] == "test"]
    assert rows["arm"].tolist() == [arm for arm in ARMS for _ in range(3)] and set(rows["member"]) == {4}
    losses = [loss for path in zoo.members[:3] for loss in read_member(path).snapshots["validation_loss"]]
    assert rows["requested"].tolist() == pytest.approx([*np.linspace(*np.quantile(losses, [0.025, 0.975]), 3)] * 4)
    assert np.isfinite(rows["achieved"]).all() and rows["accuracy_reached"].between(0, 1).all()
    assert rows["accuracy_asked"].between(0, 1).all() and rows["accuracy_asked"].nunique() > 1

    # The sampler gets the other task, and batch-normalisation statistics are of the task itself.
    row = rows[rows["arm"] == "d-shuffled"].iloc[1]
    assert row["asked_task"] == "1/0/4"
    with OpenRun(inputs, choice) as run:
        weights = run.load_as_decoded().sample("1/0/4", row["requested"], seed=1)
        weights = run.recalibration(weights, run.images.of_task("0/3/2")[0])
        reached = ValidationImages(run.images, run.layout).judge(weights, "0/3/2")
    assert (row["achieved"], row["accuracy_reached"]) == pytest.approx(reached)
