"""Members as zoos in Ray Tune's layout: other programs can load them, and an import restores them."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from torchvision.models import resnet18 as torchvision_resnet18

from tests.networks import resnet18, resnet18_layout
from wsl.errors import DataError
from wsl.weights.alignment import align_part
from wsl.zoo.foreign.exporting import export_zoo
from wsl.zoo.foreign.importing import ImportOptions, import_zoo
from wsl.zoo.index import open_zoo
from wsl.zoo.member import Member, read_member, write_members


def same(member, copy):
    assert np.array_equal(member.weights, copy.weights) and np.array_equal(member.counters, copy.counters)
    pd.testing.assert_frame_equal(member.snapshots, copy.snapshots, check_exact=True)
    pd.testing.assert_frame_equal(member.history, copy.history, check_exact=True)
    source = copy.plan.pop("source")
    assert source.startswith(f"NN_tune_trainable_seed={member.plan['seed']}_")
    assert copy.plan == {key: value for key, value in member.plan.items() if key != "source"}
    assert copy.layout == member.layout


def test_an_import_of_an_export_restores_everything(zoo, tmp_path):
    assert export_zoo([zoo.train, zoo.validation, zoo.test], tmp_path / "theirs") == (5, [1, 3], False)
    done = import_zoo(tmp_path / "theirs", tmp_path / "ours")
    assert done.parts == {"train": 3, "validation": 1, "test": 1} and not done.skipped
    for path in zoo.members:
        same(read_member(path), read_member(tmp_path / "ours" / "members" / path.name))
    for part in ("train", "validation", "test"):
        with open_zoo(getattr(zoo, part)) as before, open_zoo(tmp_path / "ours" / f"{part}.h5") as after:
            assert np.array_equal(before.weights[...], after.weights[...])
            assert before.snapshots.equals(after.snapshots) and before.layout == after.layout


def test_names_of_snapshots_are_restored(train, tmp_path):
    """Epoch 1 is the early one, and has this name only if it was requested."""
    for number, snapshots in enumerate(([0, 1, "max"], [0, "early", "max"], "geometric")):
        path = train(tmp_path / f"{number}.h5", member=number, snapshots=snapshots, seed=number)
        export_zoo([path], tmp_path / f"theirs{number}")
        import_zoo(tmp_path / f"theirs{number}", tmp_path / f"ours{number}", ImportOptions(shares=(1, 0, 0)))
        same(read_member(path), read_member(tmp_path / f"ours{number}" / "members" / f"{number:05d}.h5"))
    import_zoo(tmp_path / "theirs0", tmp_path / "less", ImportOptions(epochs=[0, 1], shares=(1, 0, 0)))
    less = read_member(tmp_path / "less" / "members" / "00000.h5")
    assert less.snapshots["snapshot"].tolist() == ["epoch0", "max"]


def test_single_members_are_exported_as_other_programs_read_them(zoo, tmp_path):
    export_zoo(zoo.members[1:2], tmp_path / "theirs")
    (folder,) = (tmp_path / "theirs").iterdir()
    params = json.loads((folder / "params.json").read_text())
    assert params["optim::optimizer"] == "sgd" and params["seed"] == 101 and params["model::o_dim"] == 3
    start, *lines = [json.loads(line) for line in (folder / "result.json").read_text().splitlines()]
    assert start["training_iteration"] == 0 and np.isnan(start["val_loss"])
    with h5py.File(zoo.members[1]) as file:
        assert [line["val_loss"] for line in lines] == file["history"]["validation_loss"][...].tolist()
        assert [line["training_iteration"] for line in lines] == [1, 2, 3]
        for row, epoch in enumerate((1, 3)):
            state = torch.load(folder / f"checkpoint_{epoch:06d}" / "checkpoints", weights_only=True)
            resnet18(2, 3).load_state_dict(state, strict=True)
            first = state["conv1.weight"].flatten()
            assert first.tolist() == file["weights"][row, : len(first)].tolist()


def test_width_64_loads_in_torchvisions_network_with_the_stem_of_the_model_zoos(tmp_path):
    layout = resnet18_layout(64, 3, stem=3)
    weights = np.random.default_rng(0).normal(size=(1, layout.size)).astype(np.float32)
    results = {"train_loss": 1.0, "train_accuracy": 0.5, "validation_loss": 1.0, "validation_accuracy": 0.25}
    history = pd.DataFrame([{"epoch": 2, **results}])
    plan = {"member": 9, "classes": ["a", "b", "c"], "width": 64}
    counters = np.full((1, len(layout.counters)), 5)
    snapshots = history.assign(snapshot="max")[["snapshot", *history]]
    write_members(tmp_path / "9.h5", [Member(plan, weights, counters, snapshots, history, False, layout)])
    export_zoo([tmp_path / "9.h5"], tmp_path / "theirs", "sane")
    folder = tmp_path / "theirs" / "NN_tune_trainable_seed=9_00000_0"
    params = json.loads((folder / "params.json").read_text())
    expected = {"type": "Resnet18", "channels_in": 3, "o_dim": 3, "nlin": "relu", "dropout": 0.0, "init_type": None}
    assert {key: params[f"model::{key}"] for key in expected} == expected
    state = torch.load(folder / "checkpoint_000002" / "checkpoints", weights_only=True)
    network = torchvision_resnet18(num_classes=3)
    network.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    network.load_state_dict(state, strict=True)
    assert torch.equal(network.fc.weight.flatten(), torch.from_numpy(weights[0, layout["fc.weight"].columns]))
    assert network.bn1.num_batches_tracked == 5


def test_other_networks_are_exported_and_restored(zoos, tmp_path):
    for seed in range(3):
        zoos.ray_run(tmp_path / "zoo", seed, zoos.small_cnn)
    import_zoo(tmp_path / "zoo", tmp_path / "one", ImportOptions(shares=(1, 0, 0)))
    export_zoo([tmp_path / "one" / "train.h5"], tmp_path / "theirs")
    import_zoo(tmp_path / "theirs", tmp_path / "two")
    for path in (tmp_path / "one" / "members").iterdir():
        same(read_member(path), read_member(tmp_path / "two" / "members" / path.name))


def test_what_cannot_be_exported_is_refused(zoo, train, tmp_path):
    with pytest.raises(DataError, match=r"member 0 comes twice; name its file or index once"):
        export_zoo([zoo.train, zoo.members[0]], tmp_path / "theirs")
    align_part(zoo.validation, zoo.train, tmp_path / "aligned.h5", seed=0)
    with pytest.raises(DataError, match=r"aligned\.h5 holds weights of its own.*name the index that it was made from"):
        export_zoo([tmp_path / "aligned.h5"], tmp_path / "theirs")
    train(tmp_path / "bad.h5", optimizer="sgd", learning_rate=1e30)
    with pytest.raises(DataError, match=r"bad\.h5: this member diverged"):
        export_zoo([tmp_path / "bad.h5"], tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()
