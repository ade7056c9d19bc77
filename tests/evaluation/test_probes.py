"""Probes of imported zoos, which have their own results and may lack some of this project's columns."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from scipy.stats import kendalltau
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wsl.errors import DataError
from wsl.evaluation import probes
from wsl.evaluation.accuracies import measure_accuracies
from wsl.evaluation.probe_baselines import measure_baselines
from wsl.evaluation.probes import probe, probe_weights
from wsl.evaluation.ridge import PENALTIES
from wsl.runs.run import Run
from wsl.weights.encoders._features import layer_statistics
from wsl.zoo.foreign.exporting import export_zoo
from wsl.zoo.foreign.importing import import_zoo
from wsl.zoo.index import open_zoo, read_weights

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)


def write_zoo(folder, columns, members=12):
    """Write state dicts, whose first weight of the head is the test accuracy, and their table."""
    folder.mkdir(parents=True)
    rows = []
    for number in range(members):
        torch.manual_seed(number)
        network = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
        state, reached = network.state_dict(), 0.3 + number / 40
        state["2.weight"][0, 0] = reached
        torch.save(state, folder / f"{number}.pt")
        results = {
            "val_loss": 2 - reached,
            "val_acc": reached,
            "test_acc": reached,
            "train_acc": 0.9,
            "optimizer": "sgd",
        }
        part = ("train", "train", "test")[number % 3]
        rows.append({"file": f"{number}.pt", "epoch": 5 + number % 2, "part": part, **results})
    pd.DataFrame(rows)[["file", "epoch", "part", "val_loss", "val_acc", *columns]].to_csv(folder / "zoo.csv")


@pytest.fixture
def imported(tmp_path):
    write_zoo(tmp_path / "theirs", ["test_acc", "train_acc"])
    import_zoo(tmp_path / "theirs", tmp_path / "ours")
    return tmp_path / "ours"


def head_weight(weights):
    """The weight that is the test accuracy, and two others."""
    return weights[:, [-15, 0, 1]]


def test_a_zoos_own_test_accuracies_are_the_target(imported):
    files = imported / "train.h5", [imported / "test.h5"]
    found = probe(head_weight, *files, compared=False).set_index("target")
    assert set(found.index) == {"test_accuracy", "validation_loss", "epoch", "generalisation_gap"}  # and no optimiser
    assert found.loc["test_accuracy", "score"] > 0.99 and found["snapshots"].tolist() == [4] * 4
    with open_zoo(imported / "train.h5") as train, open_zoo(imported / "test.h5") as test:
        model = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
        model.fit(head_weight(read_weights(train)), train.snapshots["validation_loss"])
        score = model.score(head_weight(read_weights(test)), test.snapshots["validation_loss"])
        truth = test.snapshots["validation_loss"]
        tau = kendalltau(truth, model.predict(head_weight(read_weights(test)))).statistic
    assert found.loc["validation_loss", "score"] == pytest.approx(score)
    assert found.loc["validation_loss", "kendall"] == pytest.approx(tau)
    # All members have the same classes, so intervals are over members, here of one snapshot.
    assert set(found["unit"]) == {"members"} and found["sets"].eq(1).all()


def test_each_summary_is_probed_as_if_it_were_the_only_one(imported):
    files = imported / "train.h5", [imported / "test.h5"]
    summaries = {"all": lambda weights: weights, "head": head_weight}
    found = probe(lambda weights: {name: of(weights) for name, of in summaries.items()}, *files)
    expected = [probe(of, *files).assign(summary=name) for name, of in summaries.items()]
    pd.testing.assert_frame_equal(found, pd.concat(expected, ignore_index=True))


@pytest.mark.parametrize("at_once", [10**6, 40])  # all columns at once, and 5
def test_weights_are_probed_in_blocks_of_columns(imported, monkeypatch, at_once):
    monkeypatch.setattr(probes, "NUMBERS", at_once)
    files = imported / "train.h5", [imported / "test.h5"]
    found, expected = probe_weights(*files), probe(lambda weights: weights, *files, compared=False)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5)


def test_measured_accuracies_replace_the_zoos_own(imported, tmp_path):
    tables = []
    for part in ("train", "test"):
        with open_zoo(imported / f"{part}.h5") as zoo:
            tables.append(zoo.snapshots[["member", "snapshot"]].assign(test_accuracy=RNG.random(len(zoo.snapshots))))
    pd.concat(tables).to_csv(tmp_path / "measured.csv", index=False)
    files = imported / "train.h5", [imported / "test.h5"], tmp_path / "measured.csv"
    found = probe(head_weight, *files, compared=False)
    assert found.set_index("target").loc["test_accuracy", "score"] < 0.9  # of noise
    assert len(found) == 4


def test_targets_that_a_zoo_does_not_have_are_left_out(tmp_path):
    write_zoo(tmp_path / "theirs", ["optimizer"])
    import_zoo(tmp_path / "theirs", tmp_path / "ours")
    found = probe(head_weight, tmp_path / "ours" / "train.h5", [tmp_path / "ours" / "test.h5"], compared=False)
    assert found["target"].tolist() == ["validation_loss", "epoch"]
    table = (tmp_path / "theirs" / "zoo.csv").read_text().splitlines()
    same = [",".join([*row.split(",")[:2], "7", row.split(",")[3], "1.0", "0.5", "sgd"]) for row in table[1:]]
    (tmp_path / "theirs" / "zoo.csv").write_text("\n".join([table[0], *same]))
    import_zoo(tmp_path / "theirs", tmp_path / "same")
    with pytest.raises(DataError, match=r"none of test_accuracy, .* has two finite values in each part"):
        probe(head_weight, tmp_path / "same" / "train.h5", [tmp_path / "same" / "test.h5"])


def test_an_import_of_our_own_members_is_probed_like_them(zoo, packed, tmp_path):
    """Test accuracies are measured on the images, since the export has none."""
    export_zoo([zoo.train, zoo.test], tmp_path / "theirs")
    import_zoo(tmp_path / "theirs", tmp_path / "ours")
    tables = []
    for train, test in ((zoo.train, zoo.test), (tmp_path / "ours" / "train.h5", tmp_path / "ours" / "test.h5")):
        measure_accuracies([train, test], list(packed.values()), tmp_path / "accuracies.csv")
        with open_zoo(train) as index:
            layout = index.layout
        tables.append(
            probe(lambda weights: layer_statistics(weights, layout), train, [test], tmp_path / "accuracies.csv")  # noqa: B023
        )
    pd.testing.assert_frame_equal(*tables)


def test_the_guides_config_without_images_plans_an_import(tmp_path, monkeypatch):
    write_zoo(tmp_path / "theirs", ["test_acc"], members=18)
    table = pd.read_csv(tmp_path / "theirs" / "zoo.csv", index_col=0)
    table["part"] = ["train", "train", "train", "test", "test", "validation"] * 3
    table.to_csv(tmp_path / "theirs" / "zoo.csv", index=False)
    import_zoo(tmp_path / "theirs", tmp_path / "zoos" / "cifar10")
    page = (ROOT / "docs" / "guides" / "other-zoos.md").read_text()
    (text,) = re.findall(r"^```yaml title=\"cifar10-weights.yaml\"\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    run = Run(yaml.safe_load(text))
    assert {part: len(run.members(part)) for part in run.parts} == {"train": 9, "validation": 3, "test": 6}
    measure_baselines("zoos/cifar10/train.h5", ["zoos/cifar10/test.h5"], None, "probes.csv")
    probes = pd.read_csv("probes.csv")
    assert set(probes["encoder"]) == {"statistics", "flat"}
    assert set(probes["target"]) == {"test_accuracy", "validation_loss", "epoch"} and probes["score"].notna().all()
