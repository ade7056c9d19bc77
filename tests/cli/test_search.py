"""`wsl search`: members of existing zoos for a folder of images."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import wsl as package
from wsl.cli.main import app
from wsl.errors import ConfigError
from wsl.evaluation.search import search
from wsl.evaluation.search_options import SearchOptions
from wsl.evaluation.search_scores import Answers, nearest_mean
from wsl.images.inputs import normalised
from wsl.images.objects import images_of
from wsl.images.own import pack_own
from wsl.images.tasks import TaskImages
from wsl.sampling.features import BodyFeatures
from wsl.sampling.methods.task_heads import fit_probe
from wsl.sampling.model_files import model_layout, read_model
from wsl.zoo.index import open_zoo, read_snapshot
from wsl.zoo.network import network_for, state_dict

FRUIT = ["apple", "pear", "plum"]


@pytest.fixture(scope="module")
def finished(sampler_of, zoo, shared, autoencoder):
    """A run's folder with a zoo, a shared encoder and latents."""
    run = sampler_of()
    (run / "zoo").symlink_to(zoo.root)
    (run / "shared").mkdir()
    shutil.copy(shared.state, run / "shared" / "encoder.safetensors")
    (run / "weights" / "latents").mkdir(parents=True)
    for part, path in autoencoder.latents.items():
        shutil.copy(path, run / "weights" / "latents" / f"{part}.h5")
    return run


@pytest.fixture(scope="module")
def table(finished, photos):
    return search(photos, [finished], SearchOptions(best=2))


def wsl(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})


def test_all_methods_rank_all_members(table):
    methods = ["shared-space", "nearest-dataset", "nearest-mean", "logme", "leep", "h-score"]
    members = table[table["kind"] == "member"]
    assert list(dict.fromkeys(members["method"])) == methods and set(members["rank"]) == {1, 2}
    assert not table.attrs["left_out"] and table.attrs["members"] == 5
    assert {*table.attrs["seconds"]} == {*methods} and all(value > 0 for value in table.attrs["seconds"].values())
    for _, rows in members.groupby("method"):
        assert rows["score"].is_monotonic_decreasing
    baselines = table[table["kind"] == "baseline"].set_index("model")
    assert [*baselines.index] == ["a random member", "mean of 5 random members", "raw pixels", "random weights"]
    assert baselines["low"].isna().to_dict() == {name: name.startswith("mean") for name in baselines.index}
    assert ((members["low"] <= members["accuracy"]) & (members["accuracy"] <= members["high"])).all()


def test_scores_use_training_images_and_accuracies_held_out_ones(table, zoo, photos, tmp_path):
    """Recomputed for every member with the classes that samplers use."""
    paths = [tmp_path / f"{name}.h5" for name in FRUIT]
    for name, path in zip(FRUIT, paths, strict=True):
        pack_own(images_of(photos), name, path, 16, 0.2, 0)
    images, names = TaskImages(paths), [f"own: {name}" for name in FRUIT]
    rows = table[table["method"] == "nearest-mean"].set_index("member")
    scores = {}
    for part in ("train", "validation", "test"):
        with open_zoo(getattr(zoo, part)) as index:
            for row in index.trained:
                body = BodyFeatures(state_dict(read_snapshot(index, row), index.layout), index.layout, images)
                train, test = ([body.of_class(name, one) for name in names] for one in ("train", "test"))
                labels = torch.arange(3).repeat_interleave(torch.tensor([*map(len, train)]))
                member = int(index.snapshots["member"].iloc[row])
                scores[member] = nearest_mean(Answers(torch.cat(train), torch.zeros(len(labels), 1), labels))
                if member in rows.index:
                    weight, bias = fit_probe(train)
                    right = [(one @ weight.T + bias).argmax(1) == place for place, one in enumerate(test)]
                    assert rows["accuracy"][member] == pytest.approx(torch.cat(right).float().mean().item())
    assert rows["score"].to_dict() == pytest.approx({member: scores[member] for member in rows.index})
    assert rows["score"].max() == pytest.approx(max(scores.values()))


def test_another_number_of_classes_needs_only_a_new_head(finished, photos):
    table = search(photos, [finished], SearchOptions(best=1, classes=FRUIT[:2], head="prototypes"))
    assert [*table.attrs["left_out"]] == ["shared-space"]
    assert "tasks of 3 classes, but there are 2" in table.attrs["left_out"]["shared-space"]
    assert "nearest-dataset" in set(table["method"]) and table["accuracy"].between(0, 1).all()


def test_the_best_member_is_written_with_its_new_head(table, finished, photos, tmp_path):
    out = tmp_path / "fruit.safetensors"
    done = wsl("search", photos, "--in", finished, "--best", 2, "--out", out, "--by", "logme", "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    (best,) = [row for row in printed["models"] if row["method"] == "logme" and row["rank"] == 1]
    assert best["accuracy"] == table[(table["method"] == "logme") & (table["rank"] == 1)]["accuracy"].iloc[0]
    state, about = read_model(out)
    layout = model_layout(out, state, about)
    assert (about["classes"], layout.classes, about["member"]) == (FRUIT, 3, best["member"])
    network = network_for(layout).eval()
    network.load_state_dict(state)
    right = []
    for place, name in enumerate(FRUIT):
        pack_own(images_of(photos), name, tmp_path / f"{name}.h5", 16, 0.2, 0)
        held_out = TaskImages([tmp_path / f"{name}.h5"]).of_class(f"own: {name}", part="test")
        with torch.no_grad():
            right.append(network(normalised(held_out, layout.normalisation)).argmax(1) == place)
    assert np.mean(torch.cat(right).numpy()) == pytest.approx(best["accuracy"])
    card = Path(f"{out}.md").read_text()
    assert "apple, pear, plum" in card and "found by: logme" in card and "raw pixels" in card
    assert "this model, with a new head" in wsl("inspect", out).output
    refused = wsl("search", photos, "--in", finished, "--out", out)
    assert refused.exit_code == 1 and "exists already" in refused.output


def test_imported_zoos_are_searched_by_their_answers_and_zoos_together(zoo, finished, photos):
    done = wsl("search", photos, "--in", zoo.root, "--best", 1, "--size", 16)
    assert done.exit_code == 0, done.output
    assert "left out: shared-space" in done.output and "imported zoo" in done.output
    assert "raw pixels" in done.output and "guessing reaches 33.3%" in done.output
    both = search(photos, [zoo.root, finished], SearchOptions(best=1, size=16))
    assert both.attrs["members"] == 10 and f"shared-space of {finished}" in set(both["method"])
    assert set(both[both["method"] == "logme"]["zoo"]) == {str(zoo.root)}  # equal scores: the first


def test_what_cannot_be_searched_is_refused(zoo, photos, tmp_path):
    (tmp_path / "one" / "only").mkdir(parents=True)
    for arguments, parts in (
        ((tmp_path / "one", "--in", zoo.root), ["1 class folders", "two or more"]),
        ((photos, "--in", tmp_path), ["holds no zoo", "zoo/train.h5"]),
        ((photos, "--in", zoo.root, "--classes", "apple,fig"), ["fig"]),
        ((photos, "--in", zoo.root, "--out", tmp_path / "a.onnx"), [".onnx", ".safetensors"]),
        ((photos, "--in", zoo.root), ["images of any size", "--size"]),
        (
            (photos, "--in", zoo.root, "--size", 16, "--out", tmp_path / "a.pt", "--by", "luck"),
            ["luck found no member", "logme"],
        ),
    ):
        done = wsl("search", *arguments)
        assert done.exit_code == 1 and all(part in done.output for part in parts), done.output


def test_python_and_the_command_find_the_same(table, finished, photos):
    found = package.search(photos, finished, best=2)
    assert found.drop(columns="score").equals(table.drop(columns="score"))
    with pytest.raises(ConfigError, match="unknown option 'bset'"):
        package.search(photos, finished, bset=2)
