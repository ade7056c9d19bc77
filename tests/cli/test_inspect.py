"""`wsl inspect`: figures that are read from the files by other means."""

import re

import h5py
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from wsl.cli.main import app
from wsl.files import write_json
from wsl.weights.codec import load_codec, read_latents
from wsl.weights.neighbours import neighbours
from wsl.zoo.member import read_member


def inspect(*arguments, code=0):
    done = CliRunner().invoke(app, ["inspect", *map(str, arguments)], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done.output


def test_a_member_is_its_plan_and_its_snapshots(zoo):
    said = inspect(zoo.members[1])
    member = read_member(zoo.members[1])
    for key in ("learning_rate", "seed", "batch_size"):
        assert re.search(rf"{key} +│ {member.plan[key]:.4g} ", said) if key == "learning_rate" else key in said
    assert re.search(rf"numbers a snapshot +│ {member.weights.shape[1]} ", said)
    for row in member.snapshots.itertuples():
        assert re.search(rf"│ {row.snapshot} +│ {row.epoch} +│ {row.train_loss:.4g} ", said)


def test_an_index_counts_its_zoo(zoo):
    said = inspect(zoo.train)
    accuracies = []
    for path in zoo.members[:3]:
        with h5py.File(path) as file:
            accuracies.append(file["snapshots"]["validation_accuracy"][-1])
    assert (
        re.search(r"members +│ 3 ", said) and re.search(r"snapshots +│ 6 ", said) and re.search(r"diverged +│ 0 ", said)
    )
    assert f"{np.mean(accuracies):.4g}" in said


def test_neighbours_of_a_training_member_begin_with_itself(zoo, run):
    said = inspect(zoo.members[2], "--from", run, "--neighbours", "2")
    rows = re.findall(r"│ +(\d+) +│ (early|max) +│ (\S+) +│ \S+ +│ \S+ +│ (\S+) +│", said)
    assert int(rows[0][0]) == 2 and len(rows) == 2
    assert float(rows[0][3]) == pytest.approx(1, abs=1e-3) and float(rows[1][3]) < float(rows[0][3])


def test_neighbours_are_by_the_cosine_of_standardised_latents(zoo, fitted, autoencoder):
    codec = load_codec(zoo.train, fitted, autoencoder.state)
    weights = read_member(zoo.members[4]).weights[-1]
    found = neighbours(codec, autoencoder.latents["train"], weights, 3)
    latents, snapshots = read_latents(autoencoder.latents["train"])
    frame = pd.DataFrame(latents)
    own = (codec.encode(weights[None])[0] - frame.mean()) / frame.std(ddof=0)
    rows = (frame - frame.mean()) / frame.std(ddof=0)
    cosines = rows.apply(lambda row: row @ own / np.linalg.norm(row) / np.linalg.norm(own), axis=1)
    best = cosines.groupby(snapshots["member"]).max().sort_values(ascending=False)
    assert found["member"].tolist() == best.index.tolist()
    assert found["cosine"].to_numpy() == pytest.approx(best.to_numpy(), abs=1e-4)


def test_a_run_is_its_summary(tmp_path):
    accuracy = {"seen": {"generator": 0.875}}
    write_json(tmp_path / "summary.json", {"members": 48, "agreement": 0.9375, "accuracy": accuracy})
    said = inspect(tmp_path)
    assert re.search(r"members +│ 48 ", said) and re.search(r"generator +│ 0.875 ", said)


def test_a_run_without_a_summary_is_not_finished(tmp_path):
    assert "holds no summary.json" in inspect(tmp_path, code=1)


@pytest.mark.parametrize(
    ("name", "message"), [("x.h5", "x.h5 is not an HDF5 file"), ("x.safetensors", "is not a safetensors file")]
)
def test_foreign_files_are_named(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"\x01" * 40)
    assert message in inspect(tmp_path / name, code=1)


def test_what_is_not_there_is_a_mistake_of_use(tmp_path):
    assert "does not exist" in inspect(tmp_path / "nowhere.h5", code=2)
