"""The index: a view of the members' files that detects missing and damaged ones."""

import os
import shutil
import time
from types import SimpleNamespace

import numpy as np
import pytest

from wsl.errors import DataError
from wsl.zoo.index import open_zoo, read_weights, write_index
from wsl.zoo.member import read_member, write_members


@pytest.fixture
def copy(zoo, tmp_path):
    """A copy of the zoo's training part, which tests may damage."""
    root = tmp_path / "zoo"
    shutil.copytree(zoo.root, root)
    return SimpleNamespace(root=root, index=root / "train.h5", members=sorted((root / "members").iterdir())[:3])


def stacked(paths):
    return np.concatenate([read_member(path).weights for path in paths])


def test_weights_are_the_members(zoo):
    with open_zoo(zoo.train) as opened:
        everything = stacked(zoo.members[:3])
        assert np.array_equal(read_weights(opened), everything)
        assert np.array_equal(read_weights(opened, slice(3, 4)), everything[3:4])
        columns = opened.layout["fc.weight"].columns
        assert np.array_equal(read_weights(opened, columns=columns), everything[:, columns])
        assert opened.weights.shape[1] == opened.layout.size


def test_tables_follow_the_rows(zoo):
    with open_zoo(zoo.train) as opened:
        assert opened.snapshots["member"].tolist() == [0, 0, 1, 1, 2, 2]
        assert opened.snapshots["snapshot"].tolist() == ["early", "max"] * 3
        assert opened.snapshots["task"].tolist() == ["0/1/2", "0/1/2", "2/3/4", "2/3/4", "4/1/3", "4/1/3"]
        assert opened.members["optimizer"].tolist() == ["adam", "sgd", "adam"]
        assert len(opened.history) == 9
        losses = [read_member(path).snapshots["validation_loss"] for path in zoo.members[:3]]
        assert opened.snapshots["validation_loss"].tolist() == np.concatenate(losses).tolist()


def test_a_missing_member_is_an_error_and_not_zeros(copy):
    copy.members[1].unlink()
    with open_zoo(copy.index) as opened:
        with pytest.raises(DataError, match=r"^member 1: .*00001\.h5 is missing; correct the path$"):
            read_weights(opened)
        with pytest.raises(DataError, match="member 1"):
            read_weights(opened, slice(3, 4))
        assert np.isfinite(read_weights(opened, slice(4, 6))).all()


def test_a_moved_folder_still_reads(copy, tmp_path, monkeypatch):
    expected = stacked(copy.members)
    shutil.move(copy.root, tmp_path / "elsewhere")
    monkeypatch.chdir("/")
    with open_zoo(tmp_path / "elsewhere" / "train.h5") as opened:
        assert np.array_equal(read_weights(opened), expected)


def test_its_bytes_change_only_with_a_members_weights(copy):
    before = copy.index.read_bytes()
    time.sleep(1.1)  # HDF5 stores times in seconds
    write_index(copy.members, copy.index)
    assert copy.index.read_bytes() == before
    member = read_member(copy.members[2])
    member.weights[0, 5] += 1e-3
    write_members(copy.members[2], [member])
    write_index(copy.members, copy.index)
    assert copy.index.read_bytes() != before


def test_it_is_small(zoo):
    assert os.path.getsize(zoo.train) < os.path.getsize(zoo.members[0])


def test_diverged_members_are_left_out_but_listed(copy, train):
    train(copy.members[1], "234", member=1, optimizer="sgd", learning_rate=1e30)
    write_index(copy.members, copy.index)
    with open_zoo(copy.index) as opened:
        assert opened.members["diverged"].tolist() == [False, True, False]
        assert opened.snapshots["member"].tolist() == [0, 0, 2, 2]
        assert np.array_equal(read_weights(opened), stacked([copy.members[0], copy.members[2]]))
        assert 1 in opened.history["member"].tolist()


def test_a_part_without_a_trained_member_is_refused(copy, train):
    train(copy.members[0], optimizer="sgd", learning_rate=1e30)
    with pytest.raises(DataError, match=r"diverged; lower zoo\.learning_rate"):
        write_index(copy.members[:1], copy.index)


def test_members_of_two_shapes_are_refused(copy, train):
    train(copy.members[0], width=3, max_epoch=2)
    with pytest.raises(DataError, match=r"several networks: conv1\.weight \(\d.*00000\.h5"):
        write_index(copy.members, copy.index)


def test_only_some_snapshots_can_belong_to_it(zoo, tmp_path):
    write_index(zoo.members[:3], tmp_path / "few.h5", snapshots=["max"])
    with open_zoo(tmp_path / "few.h5") as opened:
        assert opened.snapshots["member"].tolist() == [0, 1, 2] and set(opened.snapshots["snapshot"]) == {"max"}
        assert np.array_equal(read_weights(opened), stacked(zoo.members[:3])[1::2])
        assert len(opened.members) == 3 and len(opened.history) == 9
    write_index(zoo.members[:3], tmp_path / "all.h5", snapshots=["early", "max"])
    with open_zoo(tmp_path / "all.h5") as opened:
        assert np.array_equal(read_weights(opened), stacked(zoo.members[:3]))
