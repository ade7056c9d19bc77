"""Novelty and diversity against scipy, scikit-learn and brute force, with a fake sampler."""

from itertools import combinations

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist, pdist
from sklearn.metrics import jaccard_score

from tests.networks import resnet18_layout
from wsl.evaluation.distances import learned, measure_distances
from wsl.evaluation.novelty import (
    disagreement,
    jaccard,
    jaccard_chance,
    judge_novelty,
    measure_novelty,
    novelty_table,
    sampled_weights,
)
from wsl.evaluation.validation import ValidationImages, few_per_task
from wsl.images.tasks import TaskImages
from wsl.sampling.loading import Choice
from wsl.zoo.index import open_zoo
from wsl.zoo.member import read_member

LAYOUT = resnet18_layout(2, 3)
TASKS = pd.DataFrame({"part": ["test", "test"], "member": [4, 9], "task": ["0/3/2", "4/1/3"]})


class FakeSampler:
    """Returns weights by task and seed."""

    def __init__(self, weights):
        self.weights = weights

    def sample(self, task, loss, images=None, seed=0):
        assert (loss, images) == (0.5, None)
        return self.weights[task, seed]


@pytest.fixture(scope="module")
def known(zoo):
    """Weights of the training snapshots, early and max of three members."""
    return np.concatenate([read_member(path).weights for path in zoo.members[:3]])


@pytest.fixture(scope="module")
def made(known, zoo):
    """Three models for each of two tasks: a copy and two near copies; a trained, a non-finite and a new model."""
    rng = np.random.default_rng(0)

    def near(row, noise):
        return known[row] + rng.normal(0, noise, LAYOUT.size).astype(np.float32)

    own = read_member(zoo.members[4]).weights[1]
    first = {0: known[3], 1: near(3, 0.01), 2: near(5, 0.01)}
    second = {0: own, 1: np.full(LAYOUT.size, np.nan, dtype=np.float32), 2: near(0, 0.02)}
    return {("0/3/2", seed): w for seed, w in first.items()} | {("4/1/3", seed): w for seed, w in second.items()}


@pytest.fixture(scope="module")
def images(packed):
    return ValidationImages(TaskImages(list(packed.values())), LAYOUT)


@pytest.fixture(scope="module")
def measured(zoo, made, images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    sampled = sampled_weights(FakeSampler(made), list(TASKS["task"]), 0.5, 3, folder)
    with sampled as (weights, finite), open_zoo(zoo.train) as training:
        tables = measure_novelty(weights, finite, TASKS, training, [zoo.test], images)
    assert not list(folder.iterdir())
    return tables


def without_statistics(weights):
    kept = [weights[..., e.columns] for e in LAYOUT.entries if "running" not in e.name]
    return np.concatenate(kept, axis=-1).astype(float)


@pytest.fixture(scope="module")
def unit(known):
    return np.median(pdist(without_statistics(known[1::2])))


def test_learned_weights_are_all_but_running_statistics(known):
    assert np.array_equal(known[:, learned(LAYOUT)], without_statistics(known))


def test_distances_are_scipys(zoo, known, unit, tmp_path):
    samples = known[:4] + np.random.default_rng(0).normal(0, 0.05, known[:4].shape).astype(np.float32)
    with h5py.File(tmp_path / "s.h5", "w") as file, open_zoo(zoo.train) as training:
        distances = measure_distances(training, file.create_dataset("w", data=samples))
    a, b = without_statistics(samples), without_statistics(known)
    assert distances.to_training == pytest.approx(cdist(a, b), rel=1e-6)
    assert distances.between[np.triu_indices(4, 1)] == pytest.approx(pdist(a), rel=1e-6)
    centre = b.mean(axis=0)
    assert distances.cosines == pytest.approx(1 - cdist(a - centre, b - centre, "cosine"), abs=1e-6)
    assert distances.unit == pytest.approx(unit)


def test_samples_are_stored_in_a_file_with_a_mask_of_finite_ones(made, tmp_path):
    with sampled_weights(FakeSampler(made), list(TASKS["task"]), 0.5, 3, tmp_path) as (weights, finite):
        assert finite.tolist() == [True, True, True, True, False, True]
        assert np.array_equal(weights[1], made["0/3/2", 1]) and np.array_equal(weights[5], made["4/1/3", 2])
        assert not weights[4].any()


def test_members_with_one_task_get_samples_of_their_own(tmp_path):
    asked = []

    class Noting:
        def sample(self, task, loss, images=None, seed=0):
            asked.append((task, seed))
            return np.zeros(3, dtype=np.float32)

    with sampled_weights(Noting(), ["a/b", "c/d", "a/b", "a/b"], 0.5, 2, tmp_path):
        pass
    seeds = [seed for _, seed in asked]
    assert [task for task, _ in asked[::2]] == ["a/b", "c/d", "a/b", "a/b"] and seeds == [0, 1, 0, 1, 2, 3, 4, 5]
    tasks = pd.DataFrame({"part": ["test"] * 4 + ["unseen"], "member": range(5), "task": [*"aaba", "a"]})
    assert few_per_task(tasks, 2)["member"].tolist() == [0, 1, 2, 4]
    assert few_per_task(tasks).equals(tasks)


def test_a_copy_is_detected(measured):
    copy = measured[0].iloc[0]
    assert (copy["nearest_member"], copy["nearest_snapshot"]) == (1, "max")
    assert copy["distance"] == 0 and copy["l2"] == 0
    assert (copy["cosine"], copy["centred_cosine"]) == pytest.approx((1, 1))
    assert copy["nearest_jaccard"] == 1 and copy["nearest_jaccard_chance"] < 1


def test_nearest_snapshots_distances_and_cosines_by_brute_force(measured, made, known, unit):
    samples, _ = measured
    b = without_statistics(known)
    for row in samples[samples["finite"]].itertuples():
        a = without_statistics(made[row.task, row.seed])[None]
        nearest = cdist(a, b).argmin()
        assert row.l2 == pytest.approx(cdist(a, b).min(), rel=1e-5, abs=1e-9)
        assert (row.nearest_member, row.nearest_snapshot) == (nearest // 2, ("early", "max")[nearest % 2])
        assert row.distance == pytest.approx(cdist(a, b).min() / unit, rel=1e-6)
        assert row.cosine == pytest.approx(1 - cdist(a, b, "cosine")[0, nearest])
        centred = 1 - cdist(a - b.mean(0), b - b.mean(0), "cosine")[0, nearest]
        assert row.centred_cosine == pytest.approx(centred, abs=1e-5)


def test_errors_are_compared_with_those_of_the_nearest_and_the_trained_model(measured, made, zoo, known, images):
    samples, _ = measured
    trained = read_member(zoo.members[4]).weights[1]
    for row in samples[samples["finite"]].itertuples():
        wrong = images.predictions(made[row.task, row.seed], row.task) != images.labels(row.task)
        nearest = known[2 * int(row.nearest_member) + (row.nearest_snapshot == "max")]
        theirs = images.predictions(nearest, row.task) != images.labels(row.task)
        assert row.nearest_jaccard == pytest.approx(jaccard(wrong, theirs))
        assert row.nearest_jaccard_chance == pytest.approx(jaccard_chance(wrong, theirs))
        if row.member == 4:
            theirs = images.predictions(trained, row.task) != images.labels(row.task)
            assert row.trained_jaccard == pytest.approx(jaccard(wrong, theirs))
        else:  # no such member was trained
            assert np.isnan(row.trained_jaccard)


def test_a_non_finite_sample_has_a_row_without_values(measured):
    broken = measured[0].query("not finite")
    assert broken[["member", "seed"]].to_numpy().tolist() == [[9, 1]]
    assert broken[["distance", "cosine", "nearest_jaccard"]].isna().all(axis=None)


def test_diversity_is_the_mean_over_pairs_of_finite_samples(measured, made, unit, images):
    diversity = measured[1].set_index("task")
    for task, seeds in (("0/3/2", (0, 1, 2)), ("4/1/3", (0, 2))):
        weights = [made[task, seed] for seed in seeds]
        assert diversity.loc[task, "samples"] == len(seeds)
        apart = pdist(without_statistics(np.stack(weights))).mean() / unit
        assert diversity.loc[task, "sample_distance"] == pytest.approx(apart, rel=1e-5)
        predictions = [images.predictions(vector, task) for vector in weights]
        pairs = [np.mean(a != b) for a, b in combinations(predictions, 2)]
        assert diversity.loc[task, "sample_disagreement"] == pytest.approx(np.mean(pairs))


def test_jaccard_is_scikit_learns():
    a, b = np.random.default_rng(0).random((2, 50)) < 0.4
    assert jaccard(a, b) == pytest.approx(jaccard_score(a, b))
    nothing = np.zeros(5, dtype=bool)
    assert np.isnan(jaccard(nothing, nothing)) and np.isnan(jaccard_chance(nothing, nothing))
    assert jaccard(nothing, ~nothing) == jaccard_chance(nothing, ~nothing) == 0


@pytest.mark.parametrize(("first", "second"), [(3, 4), (7, 7), (1, 6), (0, 2)])
def test_chance_is_the_mean_over_all_sets_of_a_size(first, second):
    def mask(chosen):
        return np.isin(np.arange(7), chosen)

    a = mask(range(first))
    every = [jaccard(a, mask(chosen)) for chosen in combinations(range(7), second)]
    assert jaccard_chance(a, mask(range(second))) == pytest.approx(np.mean(every))


def test_disagreement_by_hand():
    assert disagreement(np.array([[0, 1, 2, 0], [0, 1, 1, 1], [0, 0, 2, 0]])) == pytest.approx((2 + 1 + 3) / 12)
    assert np.isnan(disagreement(np.array([[0, 1]])))


def test_table_averages_samples_and_draws_of_a_task_first(tmp_path):
    about = {"part": "test", "sampler": "flow"}
    values = ((1, 0, True, 0.2), (1, 1, True, 0.4), (2, 0, True, 0.9), (2, 1, False, None))
    rows = [{**about, "member": m, "task": f"{m}/x", "draw": d, "finite": f, "distance": v} for m, d, f, v in values]
    others = ("cosine", "centred_cosine", "nearest_jaccard", "nearest_jaccard_chance", "trained_jaccard_chance")
    pd.DataFrame(rows).assign(**dict.fromkeys(others, 0.5), trained_jaccard=None).to_csv(
        tmp_path / "n.csv", index=False
    )
    between = {"sample_distance": [1.0, 3.0], "sample_disagreement": [0.25, None]}
    pd.DataFrame({**about, "member": [1, 2], "task": ["1/x", "2/x"], "draw": 0, **between}).to_csv(
        tmp_path / "d.csv", index=False
    )
    novelty_table([tmp_path / "n.csv"], [tmp_path / "d.csv"], tmp_path / "t.csv")
    table = pd.read_csv(tmp_path / "t.csv").set_index("measure")
    # Tasks average 0.3 and 0.9, so .6 with an error of .3; distances have an interval on their logarithm.
    reach = 12.7062 * 0.3 / 0.6
    assert table.loc["distance", ["mean", "tasks", "sets"]].tolist() == pytest.approx([0.6, 2, 2])
    ends = [0.6 * np.exp(-reach), 0.6 * np.exp(reach)]
    assert table.loc["distance", ["low", "high"]].tolist() == pytest.approx(ends, rel=1e-4, abs=1e-4)
    assert table.loc["sample_distance", "mean"] == 2 and table.loc["sample_disagreement", "tasks"] == 1
    assert np.isnan(table.loc["sample_disagreement", "low"]) and table.loc["sample_disagreement", "sets"] == 1
    assert table.loc["trained_jaccard", "tasks"] == 0 and np.isnan(table.loc["trained_jaccard", "mean"])
    assert set(table["models"]) == {4} and set(table["non_finite"]) == {1}


def test_a_sampler_is_measured_over_a_runs_files(zoo, method_files, shared, tmp_path):
    out, diversity = tmp_path / "new" / "n.csv", tmp_path / "d.csv"
    choice = Choice(name="projection", draw=1, known=[], recalibrate=False)
    judge_novelty(method_files([zoo.test], shared=shared.state), out, diversity, choice, "best", samples=2)
    rows, between = pd.read_csv(out), pd.read_csv(diversity)
    assert rows["seed"].tolist() == [0, 1] and set(rows["sampler"]) == {"projection"} and set(rows["draw"]) == {1}
    # The projection is the same for every seed.
    assert between[["sample_distance", "sample_disagreement"]].to_numpy().ravel() == pytest.approx([0, 0], abs=1e-6)
    assert [path.name for path in out.parent.iterdir()] == ["n.csv"]


def test_copies_of_a_model_have_rows_once_where_members_share_a_task(zoo, known, images, tmp_path):
    tasks = pd.DataFrame({"part": "test", "member": [4, 9, 11], "task": "0/3/2"})
    models = {("0/3/2", seed): known[3] for seed in range(4)} | {("0/3/2", seed): known[seed] for seed in (4, 5)}
    found = {}
    for unit in ("members", "sets of classes"):
        sampled = sampled_weights(FakeSampler(models), list(tasks["task"]), 0.5, 2, tmp_path)
        with sampled as (weights, finite), open_zoo(zoo.train) as training:
            found[unit] = measure_novelty(weights, finite, tasks, training, [zoo.test], images, unit)
    samples, spreads = found["members"]
    assert samples["member"].tolist() == [4, 4, 11, 11] and spreads["member"].tolist() == [4, 11]
    assert found["sets of classes"][0]["member"].tolist() == [4, 4, 9, 9, 11, 11]
