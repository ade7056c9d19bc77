"""Zoos in Python: tables as in the indices, weights as in the members, probes as scikit-learn alone makes them."""

import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import wsl
from wsl.errors import ConfigError, DataError
from wsl.zoo.member import read_member

STATE = {"0.weight": (4, 3), "0.bias": (4,), "2.weight": (3, 4), "2.bias": (3,)}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A folder of 24 state dicts and a table, as another program writes them; accuracy follows the learning rate."""
    folder, rng, rows = tmp_path_factory.mktemp("theirs"), np.random.default_rng(0), []
    for member in range(24):
        rate = float(10 ** rng.uniform(-4, -1))
        state = {
            name: torch.tensor(rng.normal(rate * 10, 1, shape), dtype=torch.float32) for name, shape in STATE.items()
        }
        torch.save(state, folder / f"{member}.pt")
        accuracy = float(0.5 + 0.1 * np.log10(rate) + 0.3)
        rows.append({"file": f"{member}.pt", "epoch": 3, "val_loss": 1 - accuracy, "val_acc": accuracy})
        rows[-1] |= {"train_loss": 1 - accuracy, "train_acc": accuracy, "test_acc": accuracy, "lr": rate}
        rows[-1] |= {"part": "test" if member % 4 == 3 else "train", "member": member}
    pd.DataFrame(rows).to_csv(folder / "table.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def imported(theirs, tmp_path_factory):
    return wsl.import_zoo(theirs, out=tmp_path_factory.mktemp("ours") / "zoo", classes=["a", "b", "c"])


def test_an_imported_zoo_has_the_members_of_the_table(imported, theirs):
    table = pd.read_csv(theirs / "table.csv")
    assert imported.parts == ["train", "test"] and len(imported.members) == 24 and imported.layout.size == 31
    assert list(imported.members["member"]) == list(table["member"]) and list(imported.members["part"]) == list(
        table["part"]
    )
    state = torch.load(theirs / "7.pt", weights_only=True)
    assert all(torch.equal(value, state[name]) for name, value in imported.weights(7).items())
    assert (
        "train=18, test=6, parameters=31" in repr(wsl.open_zoo(imported.path))
        and "parameters" in imported._repr_html_()
    )


def test_probes_of_weights_and_of_hyperparameters_are_those_of_scikit_learn(imported, theirs):
    table = pd.read_csv(theirs / "table.csv")
    test = (table["part"] == "test").to_numpy()
    probed = imported.probe("test_accuracy").set_index("predicted from")
    assert set(probed.index) == {"hyper-parameters", "statistics", "flat"}
    states = [torch.load(theirs / name, weights_only=True) for name in table["file"]]
    statistics = [
        [
            number
            for value in state.values()
            for number in (value.mean(), value.var(correction=0), *np.percentile(value, (0, 25, 50, 75, 100)))
        ]
        for state in states
    ]
    rate = table["lr"]
    for name, features in (
        ("statistics", statistics),
        ("hyper-parameters", np.column_stack([rate, np.log(rate)])),
    ):
        features, truth = np.array(features, dtype=float), table["test_acc"].to_numpy()
        model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 6, 19))).fit(features[~test], truth[~test])
        assert probed.loc[name, "score"] == pytest.approx(
            r2_score(truth[test], model.predict(features[test])), abs=1e-3
        )
    assert probed.loc["hyper-parameters", "score"] > 0.99  # it is a line of their logarithm
    assert probed.loc["hyper-parameters", "features"] == 2 and (probed["members"] == 6).all()


def test_unknown_targets_members_and_options_are_refused(imported, theirs, tmp_path):
    with pytest.raises(DataError, match="there is no target 'accuracy'; give one of test_accuracy, validation_loss"):
        imported.probe("accuracy")
    with pytest.raises(DataError, match=r"has no two values of epoch in each part; its targets are test_accuracy"):
        imported.probe("epoch")
    with pytest.raises(DataError, match="has no member 99 with weights"):
        imported.weights(99)
    with pytest.raises(DataError, match=r"member 7 of .* has no snapshot 'early'; it has max"):
        imported.weights(7, "early")
    with pytest.raises(DataError, match="these weights do not belong to any known architecture"):
        imported.network(7)
    with pytest.raises(ConfigError, match=r"unknown option 'epoch' .known: classes, head, epochs"):
        wsl.import_zoo(theirs, out=tmp_path / "x", epoch=3)
    with pytest.raises(ConfigError, match="shares: give three shares"):
        wsl.import_zoo(theirs, out=tmp_path / "x", shares="1,2")
    with pytest.raises(DataError, match=r"holds no train\.h5; name the folder that `wsl import` wrote"):
        wsl.open_zoo(tmp_path)
    (tmp_path / "alone").mkdir()
    shutil.copytree(imported.path, tmp_path / "alone", dirs_exist_ok=True, ignore=shutil.ignore_patterns("test.h5"))
    alone = wsl.open_zoo(tmp_path / "alone")
    with pytest.raises(DataError, match="has no test members; import the zoo again into another folder"):
        alone.probe()


def test_sources_on_the_hub_name_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DataError, match=r"needs a package that is not installed .*pip install 'weight-space-learning"):
        wsl.open_zoo("hf://me/zoo")


def test_a_zoo_of_this_project_builds_its_networks(zoo):
    member = read_member(zoo.members[1])
    kernel = wsl.open_zoo(zoo.root).network(member.plan["member"]).conv1.weight.detach().numpy().ravel()
    np.testing.assert_array_equal(kernel, member.weights[-1][: len(kernel)])
