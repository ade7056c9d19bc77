"""Retrieval in the shared space against brute force and scikit-learn, and the map of the space."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from scipy.special import expit, logit
from sklearn.metrics import top_k_accuracy_score
from sklearn.metrics.pairwise import cosine_similarity

from wsl.datasets.class_means import ClassMeans
from wsl.evaluation.recall import compare_all, curve_places, mean_ranks, measure_retrieval, recalls, retrieve
from wsl.evaluation.shared_map import flatten_points, map_points, write_map
from wsl.evaluation.shared_space import Points, load_points, unit_rows
from wsl.outcomes.bins import read_bins
from wsl.shared.predictor import load_predictor
from wsl.weights.codec import embed_part, read_latents
from wsl.weights.coefficients import encode_part
from wsl.zoo.index import write_index


@pytest.fixture(scope="module")
def related():
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(40, 6))
    return pairs, 3 * pairs + rng.normal(size=(40, 6)) * 4


def recall_curve(above, tied):
    """Recall@k for k = 1 to n, the mean over queries."""
    return recalls(above, tied, np.arange(1, len(above) + 1)[:, None]).mean(axis=1)


def test_recall_is_scikit_learns(related):
    pairs, weights = related
    curve = recall_curve(*compare_all(pairs, weights))
    similarity = cosine_similarity(pairs, weights)
    expected = [top_k_accuracy_score(np.arange(40), similarity, k=k) for k in range(1, 40)]
    assert curve == pytest.approx([*expected, 1.0])
    assert 0.1 < curve[0] < 0.9


def test_ranks_by_brute_force(related):
    pairs, weights = related
    similarity = cosine_similarity(pairs, weights)
    expected = [1 + sum(similarity[i, j] > similarity[i, i] for j in range(40)) for i in range(40)]
    assert mean_ranks(*compare_all(pairs, weights)).tolist() == expected


def test_ties_count_as_if_broken_at_random():
    queries = np.eye(4)
    candidates = np.eye(4)[[0, 0, 2, 3]]  # the first two are equal, and query 1 is equally far from all
    above, tied = compare_all(queries, candidates)
    assert above.tolist() == [0, 0, 0, 0] and tied.tolist() == [2, 4, 1, 1]
    assert mean_ranks(above, tied).tolist() == [1.5, 2.5, 1, 1]
    assert recall_curve(above, tied) == pytest.approx(np.array([2.75, 3.5, 3.75, 4]) / 4)
    rng, found = np.random.default_rng(0), np.zeros(4)
    for _ in range(4000):
        order = np.argsort(-(queries @ candidates.T) + 1e-9 * rng.random((4, 4)), axis=1)
        ranks = (order == np.arange(4)[:, None]).argmax(axis=1)
        found += [(ranks < k).mean() for k in (1, 2, 3, 4)]
    assert found / 4000 == pytest.approx(recall_curve(above, tied), abs=0.02)


def table(count):
    """Snapshots of members of one snapshot each, on distinct sets of classes."""
    return pd.DataFrame({"member": range(count), "task": [f"{i}/x" for i in range(count)], "snapshot": "max"})


def test_recall_is_averaged_over_sets_of_classes():
    # All queries find themselves, except two of the three of set {a, b}, which are exchanged.
    pairs = np.eye(5)
    snapshots = pd.DataFrame(
        {"member": [0, 1, 2, 3, 4], "task": ["a/b", "b/a", "a/b", "a/c", "b/c"], "snapshot": "max"}
    )
    summary, curves = retrieve("test", pairs, pairs[[1, 0, 2, 3, 4]], snapshots)
    row = summary.iloc[0]
    values = np.array([1 / 3, 1, 1])
    reach = stats.t.ppf(0.975, 2) * stats.sem(values) / (values.mean() * (1 - values.mean()))
    ends = expit(logit(values.mean()) + np.array([-reach, reach]))
    assert (row["top1"], row["top1_low"], row["top1_high"]) == pytest.approx((values.mean(), *ends))
    assert (row["tasks"], row["sets"]) == (5, 3)
    first = curves[(curves["k"] == 1) & (curves["direction"] == "pairs to weights")].set_index("set")["recall"]
    assert first.to_dict() == pytest.approx({"a/b": 1 / 3, "a/c": 1, "b/c": 1})
    assert (curves.loc[curves["k"] == 5, "recall"] == 1).all() and (curves["chance"] == curves["k"] / 5).all()


def test_recall_curves_have_all_small_k_and_a_limited_number_of_points():
    assert curve_places(5).tolist() == [1, 2, 3, 4, 5]
    assert curve_places(1).tolist() == [1]
    places = curve_places(5000)
    assert places[:4].tolist() == [1, 2, 3, 4] and places[-1] == 5000 and len(places) < 40


def test_untrained_snapshots_are_neither_queries_nor_candidates(
    zoo, train, fitted, autoencoder, class_means, bins, shared, tmp_path
):
    found = []
    for kept in (["max"], [0, "max"]):
        members = [
            train(tmp_path / f"{number}.h5", task, member=number, snapshots=kept)
            for number, task in ((7, "032"), (8, "104"))
        ]
        write_index(members, tmp_path / "test.h5")
        encode_part(tmp_path / "test.h5", fitted, tmp_path / "c.h5", seed=0)
        (tmp_path / "latents").mkdir(exist_ok=True)
        latents = tmp_path / "latents" / "test.h5"
        embed_part(tmp_path / "test.h5", tmp_path / "c.h5", fitted, autoencoder.state, latents, orders=1, seed=0)
        files = (list(class_means.values()), bins, shared.state, tmp_path / "r.csv", tmp_path / "curves.csv")
        measure_retrieval([latents], *files)
        found.append((pd.read_csv(tmp_path / "r.csv"), pd.read_csv(tmp_path / "curves.csv")))
    for one, other in zip(*found, strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert found[1][0]["candidates"].tolist() == [2, 2] and set(found[1][0]["snapshots"]) == {"max"}


def test_constant_embeddings_retrieve_at_chance():
    points = np.ones((8, 3)), np.random.default_rng(0).normal(size=(8, 3))
    summary, curves = retrieve("test", *points, table(8))
    back = summary.set_index("direction").loc["weights to pairs"]
    assert back["top1"] == back["chance_top1"] == 0.125 and back["top5"] == back["chance_top5"] == 0.625
    assert back["median_rank"] == back["chance_median_rank"] == 4.5
    own = curves[curves["direction"] == "weights to pairs"]
    assert own["recall"].to_numpy() == pytest.approx(own["chance"].to_numpy())


def test_equal_embeddings_tie_in_spite_of_rounding():
    rng = np.random.default_rng(0)
    pairs = np.repeat(rng.normal(size=(3, 5)), 2, axis=0).astype(np.float32)
    pairs[1] *= np.float32(1 + 2e-7)
    assert compare_all(rng.normal(size=(6, 5)), pairs)[1].tolist() == [2] * 6


def test_non_finite_embeddings_retrieve_nothing():
    values = np.random.default_rng(0).normal(size=(5, 3))
    broken = values.copy()
    broken[2] = np.nan
    above, tied = compare_all(values, broken)
    assert (above[2], tied[2]) == (4, 1)
    assert mean_ranks(*compare_all(broken, values))[2] == 3


def test_fewer_candidates_than_five():
    summary, _ = retrieve("test", np.eye(3), np.eye(3), table(3))
    assert summary["top5"].tolist() == [1, 1] and summary["chance_top5"].tolist() == [1, 1]


def test_points_are_the_shared_encoders(autoencoder, class_means, bins, shared):
    points = load_points(autoencoder.latents["train"], list(class_means.values()), bins, shared.state)
    latents, snapshots = read_latents(autoencoder.latents["train"])
    assert np.array_equal(points.weights, latents) and points.snapshots.equals(snapshots)
    datasets = torch.from_numpy(ClassMeans(list(class_means.values())).embed(snapshots["task"]))
    positions = torch.from_numpy(read_bins(bins).position(snapshots["validation_loss"].to_numpy()))
    with torch.no_grad():
        assert points.pairs == pytest.approx(load_predictor(shared.state)(datasets, positions).numpy(), abs=1e-5)


def test_held_out_parts_are_measured(autoencoder, class_means, bins, shared, tmp_path):
    latents = [autoencoder.latents[part] for part in ("test", "train")]
    files = (latents, list(class_means.values()), bins, shared.state, tmp_path / "r.csv", tmp_path / "c.csv")
    measure_retrieval(*files)
    table, curves = pd.read_csv(tmp_path / "r.csv"), pd.read_csv(tmp_path / "c.csv")
    assert table["part"].tolist() == ["test", "test", "train", "train"]
    assert table["candidates"].tolist() == [2, 2, 6, 6] and set(table["snapshots"]) == {"early, max"}
    assert table["tasks"].tolist() == table["sets"].tolist() == [1, 1, 3, 3]
    assert len(curves) == 2 * 2 * 1 + 2 * 6 * 3  # directions, k, sets
    first = curves[curves["k"] == 1].groupby(["part", "direction"])["recall"].mean()
    for row in table.itertuples():
        assert first[row.part, row.direction] == pytest.approx(row.top1, abs=1e-4)
    points = load_points(latents[1], list(class_means.values()), bins, shared.state)
    expected, _ = retrieve("train", points.pairs, points.weights, points.snapshots)
    assert table["top1"].iloc[2:].tolist() == pytest.approx(expected["top1"].tolist(), abs=1e-4)


def cluster(rng, centre, count, classes):
    """Points of ``count`` snapshots around a centre, with pairs near their weights."""
    weights = centre + 0.05 * rng.normal(size=(count, 5))
    table = {"member": np.arange(count), "snapshot": "max", "epoch": 3, "task": classes, "validation_accuracy": 0.5}
    return Points(weights + 0.01 * rng.normal(size=(count, 5)), 7 * weights, pd.DataFrame(table))


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(0)
    return {"train": cluster(rng, np.eye(5)[0], 9, "a/b/c"), "test": cluster(rng, np.eye(5)[1], 6, "b/c/a")}


def test_a_map_shows_directions_and_not_lengths():
    values = np.random.default_rng(0).normal(size=(12, 5))
    scaled = values * np.arange(1, 13)[:, None]
    assert np.linalg.norm(unit_rows(scaled), axis=1) == pytest.approx(1)
    assert flatten_points(scaled, 0) == pytest.approx(flatten_points(values, 0), rel=1e-3, abs=1e-3)


def test_a_map_keeps_clusters_together_and_is_reproducible(parts):
    table = map_points(parts, {}, seed=3)
    assert len(table) == 2 * (9 + 6) and set(table["kind"]) == {"weights", "pair"}
    groups = [table.loc[table["part"] == part, ["x", "y"]].to_numpy() for part in ("train", "test")]
    apart = np.linalg.norm(groups[0].mean(0) - groups[1].mean(0))
    assert all(np.linalg.norm(group - group.mean(0), axis=1).max() < apart / 2 for group in groups)
    assert map_points(parts, {}, seed=3).equals(table)


def test_points_keep_their_order(parts):
    table = map_points(parts, {"b": "insect"}, seed=0)
    values = np.concatenate([side for points in parts.values() for side in (points.weights, points.pairs)])
    assert table[["x", "y"]].to_numpy() == pytest.approx(flatten_points(values, 0))
    assert table["kind"].tolist() == ["weights"] * 9 + ["pair"] * 9 + ["weights"] * 6 + ["pair"] * 6
    assert table["superclass"].tolist() == ["a"] * 18 + ["insect"] * 12


def test_non_finite_points_have_no_coordinates_and_are_logged(parts, caplog):
    broken = parts["test"].pairs.copy()
    broken[1] = np.nan
    table = map_points({**parts, "test": parts["test"]._replace(pairs=broken)}, {}, seed=0)
    assert table["x"].isna().sum() == 1 and "1 of 30 points" in caplog.text


def test_a_map_holds_all_held_out_and_some_training_members(autoencoder, class_means, bins, shared, tmp_path):
    latents = [autoencoder.latents[part] for part in ("train", "test")]
    files = (latents, list(class_means.values()), bins, shared.state, tmp_path / "m.csv")
    write_map(*files, superclasses={}, members=2)
    table = pd.read_csv(tmp_path / "m.csv")
    assert table.groupby("part")["member"].unique().map(list).to_dict() == {"train": [0, 1], "test": [4]}
    assert len(table) == 2 * 6 and table.notna().all(axis=None)
