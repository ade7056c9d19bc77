"""A member's file."""

import json
import shutil

import h5py
import numpy as np
import pytest

from tests.networks import resnet18_layout
from wsl.errors import DataError
from wsl.zoo.member import open_member, read_member, write_member

PLAN = {"member": 0, "classes": ["0", "1", "2"], "width": 2}


def digest(path):
    with open_member(path) as file:
        return file.attrs["digest"]


def test_what_is_written_is_read_back(zoo, tmp_path):
    member = read_member(zoo.members[0])
    write_member(tmp_path / "copy.h5", member)
    again = read_member(tmp_path / "copy.h5")
    assert again.plan == member.plan and again.diverged == member.diverged
    assert np.array_equal(again.weights, member.weights) and np.array_equal(again.counters, member.counters)
    assert again.snapshots.equals(member.snapshots) and again.history.equals(member.history)
    assert (tmp_path / "copy.h5").read_bytes() == zoo.members[0].read_bytes()


def test_it_describes_itself(zoo):
    member = read_member(zoo.members[0])
    assert member.plan["classes"] == ["0", "1", "2"]
    assert member.plan["width"] == 2
    assert member.plan["architecture"] == "resnet18" and member.layout == resnet18_layout(2, 3)
    with h5py.File(zoo.members[0]) as file:
        assert json.loads(file.attrs["architecture"]) == {"name": "resnet18", "stem": 7, "width": 2}
    # Batches seen: (epochs) x (whole batches of 32 among the training images).
    assert (member.counters[1] == 3 * member.counters[0]).all() and (member.counters[0] > 0).all()


@pytest.mark.parametrize("change", ["weights", "snapshots"])
def test_digest_follows_the_content(zoo, tmp_path, change):
    member = read_member(zoo.members[0])
    if change == "weights":
        member.weights[1, 17] = np.nextafter(member.weights[1, 17], np.float32(9))
    else:
        member.snapshots.loc[0, "validation_loss"] += 1e-9
    write_member(tmp_path / "changed.h5", member)
    assert digest(tmp_path / "changed.h5") != digest(zoo.members[0])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("cut short", "is damaged: HDF5 cannot read it .*; restore it from a copy"),
        ("not HDF5", "is not an HDF5 file; give a file that wsl wrote"),
        ("missing", "is missing; correct the path"),
        ("another format", "is not a member file of format 1; give a member file that this version of wsl wrote"),
    ],
)
def test_an_unreadable_file_is_named_with_a_remedy(zoo, tmp_path, damage, words):
    path = tmp_path / "00007.h5"
    content = zoo.members[0].read_bytes()
    if damage != "missing":
        path.write_bytes({"cut short": content[: len(content) // 2], "not HDF5": b"text"}.get(damage, content))
    if damage == "another format":
        with h5py.File(path, "a") as file:
            file.attrs["format"] = 99
    with pytest.raises(DataError, match=rf"00007\.h5 {words}$"):
        read_member(path)


def test_files_of_earlier_versions_are_read_or_refused_by_name(zoo, tmp_path):
    path = tmp_path / "00007.h5"
    shutil.copy(zoo.members[0], path)
    with h5py.File(path, "a") as file:
        del file["layout"]
        file.attrs["plan"] = json.dumps({key: value for key, value in PLAN.items() if key != "architecture"})
    assert read_member(path).layout == resnet18_layout(2, 3)
    with h5py.File(path, "a") as file:
        file.attrs["plan"] = json.dumps({**PLAN, "width": 3})
    with pytest.raises(DataError, match=r"00007\.h5 was written by an earlier version of wsl and has no layout"):
        read_member(path)
