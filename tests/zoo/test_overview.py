"""Tables of all members."""

import pandas as pd
import pytest

from wsl.zoo.index import write_index
from wsl.zoo.member import read_member
from wsl.zoo.overview import write_overview


@pytest.fixture(scope="module")
def tables(zoo, train, tmp_path_factory):
    """The overview of a zoo whose training part has one more member, which diverged."""
    folder = tmp_path_factory.mktemp("overview")
    lost = train(folder / "00005.h5", "012", member=5, optimizer="sgd", learning_rate=1e30)
    write_index([*zoo.members[:3], lost], folder / "train.h5")
    write_overview([folder / "train.h5", zoo.validation, zoo.test], folder / "members.csv", folder / "history.csv")
    return pd.read_csv(folder / "members.csv").set_index("member"), pd.read_csv(folder / "history.csv")


def test_every_member_has_a_row_and_its_part(tables):
    members, _ = tables
    assert members["part"].to_dict() == {0: "train", 1: "train", 2: "train", 3: "validation", 4: "test", 5: "train"}


def test_a_diverged_member_is_counted_and_has_no_metrics(tables):
    members, history = tables
    assert members.index[members["diverged"]].tolist() == [5]
    metrics = members.filter(regex="^(early|max)_(train|validation)")
    assert metrics.shape[1] == 8
    assert metrics.loc[5].isna().all() and metrics.drop(index=5).notna().all(axis=None)
    assert 5 in history["member"].tolist()


def test_metrics_are_the_members_own(tables, zoo):
    members, history = tables
    for number, path in enumerate(zoo.members):
        snapshots = read_member(path).snapshots.set_index("snapshot")
        for snapshot in ("early", "max"):
            assert members.loc[number, f"{snapshot}_validation_loss"] == snapshots.loc[snapshot, "validation_loss"]
            assert members.loc[number, f"{snapshot}_train_accuracy"] == snapshots.loc[snapshot, "train_accuracy"]
        curve = history.loc[history["member"] == number, "validation_loss"]
        assert curve.tolist() == read_member(path).history["validation_loss"].tolist()
