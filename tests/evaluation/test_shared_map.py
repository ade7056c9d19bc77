"""The map of the shared space: coordinates and columns of points."""

import numpy as np
import pandas as pd
import pytest

from wsl.evaluation.shared_map import flatten_points, map_points, write_map
from wsl.evaluation.shared_space import Points, unit_rows


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
