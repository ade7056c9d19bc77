"""Originals against reconstructions; expected values are computed without wsl.evaluation."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import pearsonr

from tests.models import outputs, photos
from wsl.evaluation.reconstruction import ReconstructionInputs, on_training_data, over_training
from wsl.jobs.job import Job
from wsl.weights.codec import load_codec
from wsl.weights.coefficients import read_coefficients
from wsl.weights.fitted import load_states
from wsl.zoo.index import write_index
from wsl.zoo.member import read_member


@pytest.fixture(scope="module")
def on_training(zoo, coefficients, fitted, autoencoder, packed, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluation") / "training.csv"
    codec = (zoo.train, fitted, autoencoder.state)
    on_training_data(ReconstructionInputs(zoo.test, coefficients["test"], *codec, list(packed.values())), out, most=25)
    return pd.read_csv(out)


@pytest.mark.parametrize("stage", ["pca", "latent"])
def test_on_training_data_measures_each_stage(on_training, zoo, coefficients, fitted, autoencoder, packed, stage):
    codec, member = load_codec(zoo.train, fitted, autoencoder.state), read_member(zoo.members[4])
    values, _ = read_coefficients(coefficients["test"])
    decoded = codec.linear.decode(values) if stage == "pca" else codec.decode(codec.encode(member.weights))
    inputs, labels = photos(packed, "032", "train", most=25)
    assert len(on_training) == 4 and set(on_training["task"]) == {"0/3/2"}
    for i, snapshot in enumerate(("early", "max")):
        rows = (on_training["stage"] == stage) & (on_training["snapshot"] == snapshot) & (on_training["member"] == 4)
        measured = on_training[rows].iloc[0]
        a, b = (outputs(weights[i], inputs).numpy() for weights in (member.weights, decoded))
        assert measured["correlation"] == pytest.approx(pearsonr(a.ravel(), b.ravel()).statistic, abs=1e-3)
        assert measured["agreement"] == pytest.approx(np.mean(a.argmax(1) == b.argmax(1)), abs=0.02)
        assert measured["accuracy"] == pytest.approx(np.mean(b.argmax(1) == labels), abs=0.02)
        assert measured["original_accuracy"] == pytest.approx(np.mean(a.argmax(1) == labels))


def test_over_training_has_a_row_per_state_and_snapshot(zoo, coefficients, fitted, autoencoder, tmp_path):
    over_training(zoo.test, fitted, autoencoder.checkpoints, tmp_path / "o.csv", images=64, size=16, job=Job(seed=5))
    codec, member = load_codec(zoo.train, fitted, autoencoder.state), read_member(zoo.members[4])
    table, states = pd.read_csv(tmp_path / "o.csv"), load_states(autoencoder.checkpoints, codec.linear)
    assert table["epoch"].tolist() == [epoch for epoch in states for _ in range(2)]
    assert table["snapshot"].tolist() == ["early", "max"] * len(states)
    inputs = torch.randn(64, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    values, _ = read_coefficients(coefficients["test"])
    for epoch in (min(states), max(states)):
        with torch.no_grad():
            module = states[epoch].autoencoder
            back = module.decode(module.encode(torch.from_numpy(values))).numpy()
        a, b = (outputs(weights[1], inputs).numpy() for weights in (member.weights, codec.linear.decode(back)))
        measured = table.query("epoch == @epoch and snapshot == 'max'").iloc[0]
        if np.isfinite(b).all():
            assert measured["correlation"] == pytest.approx(pearsonr(a.ravel(), b.ravel()).statistic, abs=1e-3)
        assert measured["agreement"] == pytest.approx(np.mean(a.argmax(1) == b.argmax(1)), abs=0.02)


def test_over_training_leaves_out_untrained_snapshots(zoo, train, fitted, autoencoder, tmp_path):
    train(tmp_path / "7.h5", "032", member=7, snapshots=[0, "early", "max"])
    write_index([tmp_path / "7.h5"], tmp_path / "test.h5")
    files = (tmp_path / "test.h5", fitted, autoencoder.checkpoints, tmp_path / "o.csv")
    over_training(*files, images=8, size=16, job=Job(seed=5))
    table = pd.read_csv(tmp_path / "o.csv")
    assert set(table["snapshot"]) == {"early", "max"} and set(table["task"]) == {"0/3/2"}


def test_training_snapshots_through_pca_alone_are_the_originals(
    zoo, coefficients, fitted, autoencoder, packed, tmp_path
):
    files = (zoo.train, coefficients["train"], zoo.train, fitted, autoencoder.state, list(packed.values()))
    on_training_data(ReconstructionInputs(*files), tmp_path / "t.csv", most=25)
    table = pd.read_csv(tmp_path / "t.csv").query("stage == 'pca'")
    assert len(table) == 6
    assert table["agreement"].min() > 0.97
    assert table[["cosine", "correlation"]].min(axis=None) > 0.999
