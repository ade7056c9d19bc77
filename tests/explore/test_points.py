"""Neighbours and ranks against brute force, and which snapshots are on the map."""

import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from wsl.explore.points import Space, first_of_each_part, load_space, nearest, own_ranks, place
from wsl.shared.pairs import load_pairs
from wsl.shared.predictor import load_predictor
from wsl.weights.codec import read_latents


@pytest.fixture
def space():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(30, 5))
    table = pd.DataFrame({"member": np.repeat(range(10), 3), "epoch": [0, 1, 5] * 10})
    table["part"] = np.repeat(["train"] * 6 + ["test"] * 4, 3)
    return Space(table, weights, weights + rng.normal(size=(30, 5)))


def test_neighbours_are_those_of_brute_force(space):
    trained = (space.snapshots["epoch"] > 0).to_numpy()
    rows, cosines = nearest(space.weights, space.pairs, trained, count=7)
    for query in range(30):
        found = {row: cosine_similarity(space.weights[[query]], space.pairs[[row]])[0, 0] for row in range(30)}
        expected = sorted((row for row in found if trained[row]), key=lambda row: -found[row])[:7]
        assert rows[query].tolist() == expected
        assert cosines[query] == pytest.approx([found[row] for row in expected])


def test_a_point_is_not_its_own_neighbour_and_there_may_be_few(space):
    everyone = np.ones(30, dtype=bool)
    rows, _ = nearest(space.weights, space.weights, everyone, same=True, count=100)
    assert rows.shape == (30, 29) and all(query not in found for query, found in enumerate(rows))
    nobody = nearest(space.weights, space.pairs, ~everyone)[0]
    assert nobody.shape == (30, 0)


def test_ranks_of_both_points_of_a_snapshot(space):
    trained = (space.snapshots["epoch"] > 0).to_numpy()
    table = own_ranks(space, trained)
    similarity = cosine_similarity(space.weights, space.pairs)
    assert table["cosine"].to_numpy() == pytest.approx(np.diag(similarity))
    for row in np.flatnonzero(trained):
        own = similarity[row, row]
        assert table.loc[row, "rank of its (D, R)"] == 1 + (similarity[row, trained] > own).sum()
        assert table.loc[row, "rank of its weights"] == 1 + (similarity[trained, row] > own).sum()
    assert table.loc[~trained, "rank of its weights"].isna().all()


def test_a_large_run_shows_the_same_fraction_of_every_part(space):
    assert first_of_each_part(space, 30).snapshots.equals(space.snapshots)
    shown = first_of_each_part(space, 15).snapshots
    assert shown["member"].unique().tolist() == [0, 1, 2, 6, 7] and len(shown) == 15
    assert first_of_each_part(space, 1).snapshots["part"].tolist() == ["train"] * 3 + ["test"] * 3


@pytest.mark.parametrize("size", [1, 5])
def test_both_kinds_of_points_have_places(space, size):
    found = place(Space(space.snapshots, space.weights[:, :size], space.pairs[:, :size]), seed=0)
    assert {name: values.shape for name, values in found.items()} == {"weights": (30, 2), "pairs": (30, 2)}
    assert list(place(Space(space.snapshots, space.weights, None), seed=0)) == ["weights"]


def test_points_of_a_run(autoencoder, class_means, bins, shared):
    latents = [autoencoder.latents[part] for part in ("train", "test")]
    files = list(class_means.values())
    space = load_space(latents, files, bins, shared.state)
    assert set(space.snapshots["part"]) == {"train", "test"} and space.left_out == 0
    tables = [read_latents(path) for path in latents]
    own = [(table["order"] == 0).to_numpy() for _, table in tables]
    weights = [values[rows] for (values, _), rows in zip(tables, own, strict=True)]
    assert np.array_equal(space.weights, np.concatenate(weights))
    predictor, expected = load_predictor(shared.state), []
    for path, rows in zip(latents, own, strict=True):
        pairs = load_pairs(path, files, bins)
        expected.append(predictor.predict(pairs.datasets[0].numpy(), pairs.positions.numpy())[rows])
    assert space.pairs == pytest.approx(np.concatenate(expected), abs=1e-5)
    alone = load_space(latents, None, None, None)
    assert alone.pairs is None and np.array_equal(alone.weights, space.weights)


def test_points_that_are_not_finite_are_left_out(autoencoder, tmp_path):
    path = shutil.copy(autoencoder.latents["test"], tmp_path / "test.h5")
    with h5py.File(path, "r+") as file:
        file["latents"][0, 0] = np.nan
        count = len(file["latents"])
    space = load_space([path], None, None, None)
    assert space.left_out == 1 and len(space.snapshots) == count - 1
