"""`wsl import`, and `wsl export` as its inverse."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from wsl.cli.main import app
from wsl.zoo.foreign.peers import PEERS
from wsl.zoo.member import read_member


def call(*arguments, code=0):
    done = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return " ".join(done.output.replace("│", " ").split())


@pytest.fixture
def theirs(zoo, tmp_path):
    """The training members as a zoo of Ray Tune's layout."""
    assert "3 members" in call("export", zoo.train, "--out", tmp_path / "theirs")
    return tmp_path / "theirs"


def test_members_are_imported_and_inspected(zoo, theirs, tmp_path):
    output = call("import", theirs, "--out", tmp_path / "ours")
    assert "ours: 3 members (3 train), 0 runs left out" in output
    output = call("inspect", tmp_path / "ours" / "train.h5")
    assert output.split("train.h5")[1] == call("inspect", zoo.train).split("train.h5")[1]
    assert "source NN_tune_trainable_seed=101_00001_1" in call("inspect", tmp_path / "ours" / "members" / "00001.h5")


def test_choices_reach_the_import(theirs, tmp_path):
    options = ("--epochs", "3", "--classes", "koala, yak,emu", "--accuracies", "fraction", "--validation", "val")
    call("import", theirs, "--out", tmp_path / "ours", *options)
    member = read_member(tmp_path / "ours" / "members" / "00002.h5")
    assert member.snapshots["epoch"].tolist() == [3] and member.plan["classes"] == ["koala", "yak", "emu"]


def test_parts_and_seed_reach_the_import(theirs, tmp_path):
    for path in theirs.glob("*/params.json"):
        path.write_text(path.read_text().replace('"part"', '"told"'))
    members = {}
    for seed in (0, 1, 2):
        out = tmp_path / str(seed)
        assert "1 train" in call("import", theirs, "--out", out, "--parts", "1,1,1", "--seed", seed)
        with h5py.File(out / "train.h5") as file:
            members[seed] = file["members"]["member"][0]
    assert len(set(members.values())) > 1


def test_runs_left_out_are_counted_and_strict_ends_at_one(theirs, tmp_path):
    name = "NN_tune_trainable_seed=101_00001_1"
    torch.save({"fc.weight": torch.full((3, 2), np.nan)}, theirs / name / "checkpoint_000003/checkpoints")
    output = call("import", theirs, "--out", tmp_path / "ours")
    assert "2 members (2 train), 1 runs left out, see import.json" in output
    assert list(json.loads((tmp_path / "ours/import.json").read_text())["skipped"]) == [name]
    output = call("import", theirs, "--out", tmp_path / "strict", "--strict", code=1)
    assert "not those that wsl::layout in its params.json describes" in output and not (tmp_path / "strict").exists()


def test_the_last_line_names_the_architecture_and_the_match_of_results(theirs, tmp_path):
    output = call("import", theirs, "--out", tmp_path / "ours", "--classes", 3, "--leave-out", "*_2")
    assert "ours: 2 members (2 train), 1 runs left out, 1 as asked, see import.json" in output
    assert output.endswith(
        "recognised: resnet18, width 2, stem 7, 3 classes, head fc; results joined to weights by the checkpoint's "
        "name in the results"
    )
    about = json.loads((tmp_path / "ours/import.json").read_text())
    assert about["options"]["classes"] == 3 and about["options"]["leave_out"] == ["*_2"]


def test_options_for_checkpoints_reach_the_import(theirs, tmp_path):
    for path in theirs.glob("*/result.json"):
        path.write_text(path.read_text().replace("checkpoint_dir_name", "other"))
    for run in theirs.iterdir():
        (run / "checkpoint_000001").rename(run / "checkpoint_000000")
        (run / "checkpoint_000003").rename(run / "checkpoint_000001")
    assert "nothing shows which belong together" in call("import", theirs, "--out", tmp_path / "none", code=1)
    printed = call("import", theirs, "--out", tmp_path / "ours", "--saved-epochs", "1,3")
    assert printed.endswith("results joined to weights by --saved-epochs 1,3")
    with h5py.File(tmp_path / "ours" / "members" / "00002.h5") as file:
        assert file["snapshots"]["epoch"][...].tolist() == [1, 3]
    printed = call("import", theirs, "--out", tmp_path / "none", "--every", 4, code=1)
    assert "by --every 4 checkpoint 0 is of epoch 4, which has no results" in printed


def test_last_epochs_that_differ_are_reported(theirs, tmp_path):
    shutil.rmtree(theirs / "NN_tune_trainable_seed=102_00002_2" / "checkpoint_000003")
    assert "last epochs differ: 1 in 1, 2 in 3; --epochs" in call("import", theirs, "--out", tmp_path / "ours")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--epochs", "three"), 2, "'three' are not integers"),
        (("--parts", "1,1"), 2, "give three shares"),
        (("--parts", "0,0,0"), 2, "give three shares"),
        (("--parts", "1,-1,1"), 2, "negative"),
        (("--accuracies", "permille"), 2, "permille"),
        (("--classes", "a,a,b"), 1, "not class names"),
        (("--classes", "0"), 2, "a network cannot have 0 classes"),
        (("--every", "0"), 2, "--every"),
        (("--every", "2", "--saved-epochs", "0,2"), 2, "give one"),
        (("--saved-epochs", "x"), 2, "'x' are not integers"),
        (("--leave-out", "nobody"), 1, "nothing in"),
    ],
)
def test_invalid_options_are_refused(theirs, tmp_path, options, code, message):
    assert message in call("import", theirs, "--out", tmp_path / "ours", *options, code=code)
    assert not (tmp_path / "ours").exists()


def test_by_default_a_zoo_is_written_next_to_its_index(zoo, tmp_path):
    shutil.copy(zoo.members[0], tmp_path / "00000.h5")
    assert "00000-ray-tune: 1 members" in call("export", tmp_path / "00000.h5")
    assert (tmp_path / "00000-ray-tune" / "NN_tune_trainable_seed=100_00000_0" / "result.json").is_file()
    assert "exists already" in call("export", tmp_path / "00000.h5", code=1)
    (tmp_path / "x.safetensors").touch()
    assert "give one model" in call("export", tmp_path / "00000.h5", tmp_path / "x.safetensors", code=2)


def test_the_program_and_test_accuracies_reach_the_export(zoo, tmp_path):
    message = call("export", zoo.train, "--out", tmp_path / "no", "--for", "weightclip", code=1)
    assert "00000.h5: WeightCLIP cannot read this member: its ResNet-18 has the stem 3, not 7; export it" in message
    assert ", ".join(map(repr, PEERS)) in call("export", zoo.train, "--out", tmp_path / "no", "--for", "nobody", code=2)
    (tmp_path / "x.safetensors").touch()
    assert "are for zoos" in call("export", tmp_path / "x.safetensors", "--for", "sane", code=2)
    rows = [f"{number},{name},0.{number}5" for number in range(3) for name in ("early", "max")]
    (tmp_path / "accuracies.csv").write_text("\n".join(["member,snapshot,test_accuracy", *rows]))
    options = ("--out", tmp_path / "theirs", "--test-accuracies", tmp_path / "accuracies.csv")
    assert "theirs: 3 members; epochs that all have: 1, 3" in call("export", zoo.train, *options)
    run = tmp_path / "theirs" / "NN_tune_trainable_seed=101_00001_1"
    assert json.loads((run / "result.json").read_text().splitlines()[3])["test_acc"] == 0.15


def test_a_plugin_registers_the_architecture(tmp_path):
    plugin = Path(__file__).parents[1] / "plugins" / "toy_architecture.py"
    rows = ["file,epoch,val_loss,val_acc"]
    (tmp_path / "theirs").mkdir()
    for seed in range(3):
        torch.manual_seed(seed)
        layers = (nn.AvgPool2d(4), nn.Flatten(), nn.Linear(48, 5), nn.ReLU(), nn.Linear(5, 3))
        torch.save(nn.Sequential(*layers).state_dict(), tmp_path / "theirs" / f"{seed}.pt")
        rows.append(f"{seed}.pt,1,1.1,0.3")
    (tmp_path / "theirs" / "results.csv").write_text("\n".join(rows))
    parts = ("--parts", "1,1,1")
    assert "toy-mlp" not in call("import", tmp_path / "theirs", "--out", tmp_path / "unknown", *parts)
    output = call("import", tmp_path / "theirs", "--out", tmp_path / "known", "--plugin", plugin, *parts)
    assert "recognised: toy-mlp, hidden 5, 3 classes" in output
