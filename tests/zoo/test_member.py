"""Files of members."""

import json

import h5py
import numpy as np
import pytest

from tests.networks import resnet18_layout
from wsl.errors import DataError
from wsl.files.hdf5 import put_table
from wsl.zoo.index import open_zoo, read_weights, write_index
from wsl.zoo.layout import layout_to_text
from wsl.zoo.member import _chunks, open_members, read_member, read_members, write_members

PLAN = {"member": 0, "classes": ["0", "1", "2"], "width": 2}


def digest(path):
    with open_members(path) as file:
        return file.members["digest"].item()


def test_what_is_written_is_read_back(zoo, tmp_path):
    member = read_member(zoo.members[0])
    write_members(tmp_path / "copy.h5", [member])
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
    write_members(tmp_path / "changed.h5", [member])
    assert digest(tmp_path / "changed.h5") != digest(zoo.members[0])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("cut short", "is damaged: HDF5 cannot read it .*; restore it from a copy"),
        ("not HDF5", "is not an HDF5 file; give a file that wsl wrote"),
        ("missing", "is missing; correct the path"),
        ("another format", "is not a member file of format 2; give a member file that this version of wsl wrote"),
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


@pytest.fixture
def earlier(zoo, tmp_path):
    """A file as earlier versions wrote it, one member per file, with the content of member 0."""
    member, path = read_member(zoo.members[0]), tmp_path / "00000.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(format=1, plan=json.dumps(member.plan), diverged=False, digest="d")
        file["weights"], file["counters"] = member.weights, member.counters
        file["layout"] = layout_to_text(member.layout)
        put_table(file, "snapshots", member.snapshots)
        put_table(file, "history", member.history)
    return path


def test_files_of_earlier_versions_are_read(zoo, earlier):
    member, again = read_member(zoo.members[0]), read_member(earlier)
    assert again.plan == member.plan and again.layout == member.layout and not again.diverged
    assert np.array_equal(again.weights, member.weights) and np.array_equal(again.counters, member.counters)
    assert again.snapshots.equals(member.snapshots) and again.history.equals(member.history)
    write_index([earlier, zoo.members[1]], earlier.parent / "both.h5")
    with open_zoo(earlier.parent / "both.h5") as opened:
        assert opened.members["member"].tolist() == [0, 1] and len(opened.history) == 6
        assert np.array_equal(read_weights(opened)[:2], member.weights)


def test_files_without_a_layout_are_read_or_refused_by_name(earlier):
    with h5py.File(earlier, "a") as file:
        del file["layout"]
        file.attrs["plan"] = json.dumps(PLAN)
    assert read_member(earlier).layout == resnet18_layout(2, 3)
    with h5py.File(earlier, "a") as file:
        file.attrs["plan"] = json.dumps({**PLAN, "width": 3})
    with pytest.raises(DataError, match=r"00000\.h5 was written by an earlier version of wsl and has no layout"):
        read_member(earlier)


@pytest.fixture
def cohort(zoo, tmp_path):
    """A file of the members 3, 4 and 8 with one snapshot, none (it diverged), and two; and the members."""
    members = [read_member(path) for path in zoo.members[:3]]
    for number, count, member in zip((3, 4, 8), (1, 0, 2), members, strict=True):
        member.plan["member"], member.diverged = number, count == 0
        member.weights, member.counters = member.weights[:count], member.counters[:count]
        member.snapshots = member.snapshots[:count]
    path = tmp_path / "00000-00009.h5"
    write_members(path, members)
    return path, members


def test_a_cohort_is_one_file_in_which_a_parameter_of_all_members_is_together(cohort):
    path, members = cohort
    with h5py.File(path) as file:  # by hand
        weights = np.concatenate([member.weights for member in members])
        assert np.array_equal(file["weights"], weights) and file["weights"].chunks[0] == len(weights) == 3
        assert file["members/member"][:].tolist() == [3, 4, 8]
        assert file["members/diverged"][:].tolist() == [False, True, False]
        assert file["snapshots/member"][:].tolist() == [3, 8, 8]
        assert file["snapshots/epoch"][:].tolist() == [1, 1, 3]
        assert json.loads(file["members/plan"][2])["classes"] == members[2].plan["classes"]


def test_each_member_of_a_cohort_is_read_back(cohort):
    path, members = cohort
    for member, again in zip(members, read_members(path), strict=True):
        assert again.plan == member.plan and again.diverged == member.diverged and again.layout == member.layout
        assert np.array_equal(again.weights, member.weights) and np.array_equal(again.counters, member.counters)
        assert again.snapshots.to_csv() == member.snapshots.to_csv() and again.history.equals(member.history)
    assert read_member(path, 8).number == read_member(f"{path}:8").number == 8


def test_a_cohort_of_one_has_the_content_that_it_has_among_others(cohort, tmp_path):
    path, members = cohort
    write_members(tmp_path / "alone.h5", members[2:])
    with open_members(path) as file:
        assert file.members["digest"].iloc[2] == digest(tmp_path / "alone.h5")


def test_a_member_of_several_must_be_named(cohort):
    path, _ = cohort
    with pytest.raises(DataError, match=r"holds 3 members \(3 to 8\); name one of them, as in .*00009\.h5:3$"):
        read_member(path)
    with pytest.raises(DataError, match=r"holds 3 members \(3 to 8\), and not member 5; name another file or member$"):
        read_member(path, 5)


def test_chunks_hold_a_block_of_columns_without_waste():
    for rows, size in ((200, 2464), (2, 3), (16, 700_001), (4000, 300), (1, 1)):
        across, block = _chunks(np.empty((rows, size), np.float32))
        assert across == rows and 1 <= block <= size
        assert rows * block * 4 <= 2 * 2**22 or block == 1
        assert -(-size // block) * block - size < -(-size // block)  # filled up: less than one column per chunk


def test_tables_that_contradict_the_weights_are_damage(cohort):
    path, _ = cohort
    with h5py.File(path, "a") as file:
        file["snapshots/member"][0] = 7
    with pytest.raises(DataError, match=r"00009\.h5 is damaged: .*contradict its weights or its members"):
        read_member(path, 3)
