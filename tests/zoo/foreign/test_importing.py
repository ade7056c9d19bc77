"""Imports of whole zoos, and the stages of weights after them."""

import json
import shutil

import h5py
import numpy as np
import pytest
import torch

from tests.networks import resnet18_layout
from tests.zoo.foreign.conftest import folder_of
from wsl.errors import ConfigError, DataError
from wsl.weights.alignment import align_part
from wsl.weights.codec import embed_part, load_codec, read_latents
from wsl.weights.coefficients import encode_part, read_coefficients
from wsl.weights.encoders.base import EncoderInputs
from wsl.weights.pca import fit_parameters
from wsl.weights.pca_settings import PcaSettings
from wsl.weights.settings import EncoderFit
from wsl.weights.training import train_weight_encoder
from wsl.zoo.foreign.exporting import export_zoo
from wsl.zoo.foreign.importing import import_zoo
from wsl.zoo.foreign.options import ImportOptions
from wsl.zoo.imported import read_imported
from wsl.zoo.index import open_zoo, read_weights
from wsl.zoo.member import read_member, read_members

RECIPE = {"learning_rate": 1e-2, "weight_decay": 0.0, "batch_size": 4, "epochs": 5, "patience": None}
RECIPE |= {"schedule": "constant", "keep": "best"}


@pytest.fixture
def weightclip(zoos, tmp_path):
    """A zoo in WeightCLIP's layout: eight runs of two snapshots, and other files of such folders."""
    zoo = tmp_path / "tune_zoo_x"
    for seed in range(1, 9):
        zoos.weightclip_run(zoo, seed)
    (zoo / "config.json").write_text("{}")
    (zoo / "dataset.pt").write_bytes(b"images")
    return zoo


def test_weightclips_zoo_is_read(zoos, weightclip, tmp_path):
    done = import_zoo(weightclip, tmp_path / "out", ImportOptions(shares=(6, 1, 1)))
    assert done.parts == {"train": 6, "validation": 1, "test": 1} and done.last_epochs == {4: 8}
    members = [read_member(path) for path in sorted((tmp_path / "out" / "members").iterdir())]
    for member in members:
        seed = member.plan["seed"]
        assert member.plan["source"] == f"NN_tune_trainable_seed={seed}" and not member.diverged
        # Width and classes come from the weights: params.json says 32 channels and 10 classes.
        assert member.plan["width"] == 2 and member.plan["classes"] == ["0", "1", "2"]
        assert member.layout == resnet18_layout(2, 3, stem=3)
        assert member.snapshots["snapshot"].tolist() == ["epoch3", "max"] and len(member.history) == 5
        for epoch, accuracy in zip(member.snapshots["epoch"], member.snapshots["validation_accuracy"], strict=True):
            assert accuracy == pytest.approx(zoos.results(seed, epoch)["val_acc"])
        assert member.snapshots["validation_accuracy"].max() < 1
        state = torch.load(folder_of(weightclip, seed) / "checkpoint_000004" / "checkpoints")
        columns = member.layout["layer3.0.downsample.1.running_var"].columns
        assert np.array_equal(member.weights[1, columns], state["layer3.0.shortcut.1.running_var"])
        assert set(member.counters[1]) == {20}
    assert len({member.plan["member"] for member in members}) == 8


@pytest.mark.parametrize("network", ["SlimResNet", "small_cnn"])
def test_stages_of_weights_run_on_an_import(zoos, network, tmp_path):
    """A ResNet-18, and a network of which only the layout is known."""
    for seed in range(8):
        zoos.ray_run(tmp_path / "zoo", seed, getattr(zoos, network))
    out = tmp_path / "out"
    import_zoo(tmp_path / "zoo", out, ImportOptions(classes=("koala", "yak", "emu"), shares=(6, 1, 1)))
    train, validation = out / "train.h5", out / "validation.h5"
    with open_zoo(train) as zoo:
        layout, weights = zoo.layout, read_weights(zoo)
        assert zoo.snapshots["task"].unique().tolist() == ["koala/yak/emu"] and len(zoo.trained) == 6
        assert layout.size == weights.shape[1] and zoo.members["learning_rate"].nunique() == 6
    fitted = [out / f"{entry.name}.pca.h5" for entry in layout.entries]
    settings = PcaSettings(variance_threshold=1e-12, components=99)
    fit_parameters(train, fitted, [entry.name for entry in layout.entries], settings, orders=2)
    coefficients = {path: path.with_suffix(".c.h5") for path in (train, validation)}
    for index, path in coefficients.items():
        encode_part(index, fitted, path, seed=0, orders=2 if index == train else 1)
    encoder = {"name": "pca-ae", "latent": 6, "normalise": "per-parameter", **RECIPE}
    inputs = EncoderInputs(train, validation, *coefficients.values(), fitted)
    train_weight_encoder(inputs, out / "ae.st", out / "ae.csv", out / "states.st", EncoderFit(encoder=encoder))
    embed_part(train, coefficients[train], fitted, out / "ae.st", out / "latents.h5", orders=2, seed=0)
    latents, snapshots = read_latents(out / "latents.h5")
    assert latents.shape == (24, 6) and snapshots["task"].nunique() == 2
    # Twelve snapshots have at most eleven components, so the linear stage reproduces training weights.
    codec = load_codec(train, fitted, out / "ae.st")
    values, _ = read_coefficients(coefficients[train])
    assert codec.linear.decode(values[:12]) == pytest.approx(weights, abs=1e-4)
    assert np.isfinite(codec.decode(latents)).all()
    if network == "SlimResNet":
        encoder = {"name": "sane", "latent": 10**5, "size": 96, "windows": 1, "permute": True, **RECIPE, "epochs": 1}
        outputs = (out / "sane.st", out / "sane.csv", out / "sane-states.st")
        train_weight_encoder(EncoderInputs(train, validation), *outputs, EncoderFit(encoder=encoder))
        codec = load_codec(train, fitted, out / "sane.st")
        assert codec.decode(codec.encode(weights[:1])).shape == (1, layout.size)
        align_part(validation, train, out / "aligned.h5", seed=0)
        with open_zoo(out / "aligned.h5") as aligned:
            assert aligned.layout == layout
    else:
        with pytest.raises(DataError, match="any known architecture"):
            align_part(validation, train, out / "aligned.h5", seed=0)


def test_epochs_are_chosen_by_their_numbers(ray, tmp_path):
    done = import_zoo(ray, tmp_path / "out", ImportOptions(epochs=[5], shares=(1, 0, 0)))
    assert done.last_epochs == {5: 4}
    with pytest.raises(DataError, match=r"none of 4 runs can be read; the first, .*epoch 7 has no weights.* \[5, 10\]"):
        import_zoo(ray, tmp_path / "none", ImportOptions(epochs=[5, 7]))
    assert not (tmp_path / "none").exists()


def test_names_of_classes_must_fit_the_head(ray, tmp_path):
    with pytest.raises(DataError, match=r"distinguishes 3 classes, but 2 are named"):
        import_zoo(ray, tmp_path / "out", ImportOptions(classes=["koala", "yak"]))
    with pytest.raises(DataError, match=r"--classes: .* are not class names"):
        import_zoo(ray, tmp_path / "out", ImportOptions(classes=["koala", "a/b", "emu"]))


def test_results_on_test_images_are_used_only_on_request(zoos, ray, tmp_path):
    for path in ray.glob("*/result.json"):
        path.write_text(path.read_text().replace("val_", "other_"))
    with pytest.raises(DataError, match=r"no results on val images.*--validation test"):
        import_zoo(ray, tmp_path / "out")
    import_zoo(ray, tmp_path / "out", ImportOptions(validation="test", shares=(1, 0, 0)))
    member = read_member(tmp_path / "out" / "members" / "00003.h5")
    assert member.snapshots["validation_loss"].tolist() == [zoos.results(3, e)["test_loss"] for e in (5, 10)]
    assert "test_loss" not in member.history


def test_units_that_disagree_are_refused_unless_one_is_given(zoos, ray, tmp_path):
    zoos.weightclip_run(ray, 77)
    with pytest.raises(DataError, match="--accuracies percent or --accuracies fraction"):
        import_zoo(ray, tmp_path / "out")
    import_zoo(ray, tmp_path / "out", ImportOptions(accuracies="percent", shares=(1, 0, 0)))
    assert read_member(tmp_path / "out" / "members" / "00004.h5").history["train_accuracy"].max() < 1


def test_parts_follow_the_shares_or_are_refused(zoos, tmp_path):
    ray = tmp_path / "zoo"
    for seed in range(12):
        zoos.ray_run(ray, seed, zoos.small_cnn, epochs=[10])
    done = import_zoo(ray, tmp_path / "out", ImportOptions(shares=(2, 1, 1)))
    assert done.parts == {"train": 6, "validation": 3, "test": 3}
    with open_zoo(tmp_path / "out" / "train.h5") as zoo:
        members = set(zoo.members["member"])
    again = import_zoo(ray, tmp_path / "again", ImportOptions(shares=(2, 1, 1)))
    with open_zoo(tmp_path / "again" / "train.h5") as zoo:
        assert set(zoo.members["member"]) == members and again.parts == done.parts
    with pytest.raises(ConfigError, match=r"leave the (test|validation) part empty; raise its share, as in 1,1,1"):
        import_zoo(ray, tmp_path / "empty", ImportOptions(shares=(998, 1, 1)))
    assert not (tmp_path / "empty").exists()


def test_runs_on_one_set_of_classes_stay_together(zoos, tmp_path):
    for seed in range(12):
        task = [["a", "b", "c"], ["c", "b", "a"], ["a", "b", "d"], ["b", "c", "d"]][seed % 4]
        zoos.ray_run(tmp_path / "zoo", seed, zoos.small_cnn, epochs=[10], **{"wsl::classes": task})
    import_zoo(tmp_path / "zoo", tmp_path / "out", ImportOptions(shares=(1, 1, 1)))
    sets = []
    for part in ("train", "validation", "test"):
        with open_zoo(tmp_path / "out" / f"{part}.h5") as zoo:
            sets.append({frozenset(task.split("/")) for task in zoo.members["task"]})
    assert sum(map(len, sets)) == 3 and len(set.union(*sets)) == 3


def test_numbers_and_parts_of_a_zoo_must_be_consistent(zoos, tmp_path):
    zoos.ray_run(tmp_path / "zoo", 1, **{"wsl::part": "train", "wsl::member": 7})
    other = zoos.ray_run(tmp_path / "zoo", 2, **{"wsl::member": 7})
    with pytest.raises(DataError, match=r"seed=1_.* and .*seed=2_.* are both member 7"):
        import_zoo(tmp_path / "zoo", tmp_path / "out")
    shutil.rmtree(other)
    zoos.ray_run(tmp_path / "zoo", 2, **{"wsl::member": 8})
    with pytest.raises(DataError, match=r"seed=2_.* has no part, but others have one"):
        import_zoo(tmp_path / "zoo", tmp_path / "out")


def test_members_keep_their_own_numbers_when_another_cannot_be_read(zoos, tmp_path):
    for seed in range(3):
        zoos.ray_run(tmp_path / "zoo", seed, zoos.small_cnn, **{"wsl::member": 70 + seed})
    (folder_of(tmp_path / "zoo", 1) / "result.json").unlink()
    import_zoo(tmp_path / "zoo", tmp_path / "out", ImportOptions(shares=(1, 0, 0)))
    assert sorted(path.stem for path in (tmp_path / "out" / "members").iterdir()) == ["00070", "00072"]


def test_nothing_is_overwritten_and_a_folder_without_a_zoo_is_refused(ray, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="out exists already; name another folder"):
        import_zoo(ray, tmp_path / "out")
    with pytest.raises(
        DataError, match=r"out holds neither runs \(NN_tune_trainable_\*, .* nor one CSV \(0 are there\)"
    ):
        import_zoo(tmp_path / "out", tmp_path / "new")


def test_a_member_file_describes_itself(ray, tmp_path):
    import_zoo(ray, tmp_path / "out", ImportOptions(shares=(1, 0, 0)))
    with h5py.File(tmp_path / "out" / "members" / "00000.h5") as file:
        about = json.loads(file["layout"].asstr()[()])
        assert about["entries"][0] == ["conv1.weight", [2, 3, 3, 3]]
        assert about["architecture"] == file.attrs["architecture"]
        assert json.loads(about["architecture"]) == {"name": "resnet18", "stem": 3, "width": 2}
        assert sum(int(np.prod(shape)) for _, shape in about["entries"]) == file["weights"].shape[1]


def test_a_large_zoo_shares_files(weightclip, tmp_path, monkeypatch):
    options = ImportOptions(shares=(6, 1, 1))
    import_zoo(weightclip, tmp_path / "alone", options)
    monkeypatch.setattr("wsl.zoo.foreign.importing.FILES", 3)
    import_zoo(weightclip, tmp_path / "shared", options)
    files, alone = (sorted((tmp_path / name / "members").iterdir()) for name in ("shared", "alone"))
    assert [path.stem for path in files] == ["00000-00002", "00003-00005", "00006-00007"] and len(alone) == 8
    members = [member for path in files for member in read_members(path)]
    for member, path in zip(members, map(read_member, alone), strict=True):
        assert member.plan == path.plan and np.array_equal(member.weights, path.weights)
        assert member.history.equals(path.history)
    for part in ("train", "validation", "test"):
        with open_zoo(tmp_path / "shared" / f"{part}.h5") as one, open_zoo(tmp_path / "alone" / f"{part}.h5") as other:
            assert one.members.equals(other.members) and one.snapshots.equals(other.snapshots)
            assert np.array_equal(read_weights(one), read_weights(other))
    zoo = read_imported(tmp_path / "shared")
    assert zoo.files[4] == str(files[1]) and len(zoo.plan) == 8
    held_out = next(row["member"] for row in zoo.plan if row["part"] == "test")
    given = [tmp_path / "shared" / "train.h5", f"{zoo.files[held_out]}:{held_out}"]
    assert export_zoo(given, tmp_path / "back").members == 7
