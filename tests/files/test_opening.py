"""A file that cannot be opened is named with the cause, and never with advice to delete it."""

import errno
import fcntl
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from wsl.errors import DataError
from wsl.files.atomic import written_whole
from wsl.files.hdf5 import new_hdf5, open_hdf5
from wsl.files.opening import opening_fault
from wsl.files.plain import read_json, write_json
from wsl.files.tensors import read_tensors, write_tensors
from wsl.zoo.index import open_zoo, read_weights, write_index
from wsl.zoo.member import read_member, write_members


@pytest.fixture(params=["h5", "json", "safetensors"])
def readable(request, tmp_path):
    """An intact file, and a function that reads it."""
    path = tmp_path / f"x.{request.param}"
    if request.param == "h5":
        with new_hdf5(path) as file:
            file["a"] = [1.0]
        return path, lambda: open_hdf5(path).__enter__().close()
    if request.param == "json":
        write_json(path, {})
        return path, lambda: read_json(path)
    write_tensors(path, {"a": torch.zeros(1)}, {})
    return path, lambda: read_tensors(path)


@contextmanager
def few_files(count):
    """Limit the number of files that this process may open."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@contextmanager
def another_user():
    """Act as another user if the tests run as root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def fault(read):
    with pytest.raises(DataError) as caught:
        read()
    message = str(caught.value)
    assert not any(word in message for word in ("delete", "damaged", "remove"))
    return message


def test_a_missing_file(readable):
    path, read = readable
    path.unlink()
    assert fault(read) == f"{path} is missing; correct the path"
    path.symlink_to("gone")
    assert fault(read) == f"{path} is a link to gone, which is missing; correct the link"


def test_a_folder(readable):
    path, read = readable
    path.unlink()
    path.mkdir()
    assert fault(read) == f"{path} is a folder; give a file"


def test_a_file_without_permission(readable):
    path, read = readable
    path.chmod(0)
    with another_user():
        assert "you have no permission to read it; ask its owner" in fault(read)


def test_too_many_open_files(readable):
    path, read = readable
    read()  # the first call imports modules, which opens files
    with few_files(0):
        assert f"{path} cannot be opened: the limit of 0 open files is reached; raise it with `ulimit -n" in fault(read)
    read()


def test_too_many_open_files_for_one_that_is_written(tmp_path):
    with few_files(0), pytest.raises(DataError, match=r"x cannot be written \(Too many .*`ulimit -n"):
        written_whole(tmp_path / "x").__enter__()


def test_a_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "results").touch()
    with pytest.raises(DataError, match="a file has the name of its folder; choose another path"):
        written_whole(tmp_path / "results" / "x").__enter__()


def test_a_locked_file_is_not_called_damaged(tmp_path):
    with new_hdf5(tmp_path / "x.h5") as file:
        file["a"] = [1.0]
    with open(tmp_path / "x.h5", "rb") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        message = fault(lambda: open_hdf5(tmp_path / "x.h5").__enter__())
    assert "x.h5 is locked by another program" in message and "HDF5_USE_FILE_LOCKING=FALSE" in message
    with open_hdf5(tmp_path / "x.h5") as file:
        assert file["a"][0] == 1


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_without_locks(tmp_path, monkeypatch, code):
    def fail(path, **options):
        # The message of HDF5; h5py passes on the number for some codes only.
        message = f"unable to lock file, errno = {code}, error message = '{os.strerror(code)}'"
        raise OSError(f"Unable to synchronously open file ({message})")

    monkeypatch.setattr(h5py, "File", fail)
    message = fault(lambda: open_hdf5(tmp_path / "x.h5").__enter__())
    assert "its disk does not support locks" in message and "HDF5_USE_FILE_LOCKING=FALSE" in message


def test_a_disk_that_fails():
    error = OSError(errno.EIO, os.strerror(errno.EIO))
    assert opening_fault("x.h5", error) == (
        "x.h5 cannot be read (Input/output error); check the disk, or the network if the disk is remote"
    )


@pytest.mark.parametrize("content", [b"# A text\n" * 100, b"\x80\x02}q\x00.", bytes(4096)])
def test_a_foreign_file_is_not_called_damaged(tmp_path, content):
    path = tmp_path / "README.md"
    path.write_bytes(content)
    assert fault(lambda: read_member(path)) == f"{path} is not an HDF5 file; give a file that wsl wrote"
    assert f"{path} is not a safetensors file; " in fault(lambda: read_tensors(path))


def test_a_foreign_hdf5_file_is_reported_with_the_missing_entry(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["other"] = np.zeros(3)
    message = fault(lambda: open_zoo(tmp_path / "x.h5").__enter__())
    assert "x.h5 is not the kind of file that is needed here" in message and "weights" in message


def test_errors_in_the_reading_code_are_raised_unchanged(tmp_path):
    with new_hdf5(tmp_path / "x.h5") as file:
        file["a"] = [1.0]
    for error in (KeyError("a"), OSError("another file"), ValueError("a")):
        with pytest.raises(type(error)) as caught, open_hdf5(tmp_path / "x.h5"):
            raise error
        assert caught.value is error


@pytest.mark.parametrize("place", range(9))
def test_damage_inside_a_file_is_named(zoo, tmp_path, place):
    content = bytearray(zoo.members[0].read_bytes())
    start = 100 + place * 40  # HDF5 keeps its tables at the beginning
    content[start : start + 40] = b"\xff" * 40
    (tmp_path / "x.h5").write_bytes(content)
    try:
        member = read_member(tmp_path / "x.h5")
    except DataError as error:
        assert "x.h5 " in str(error) and "delete" not in str(error)
    else:  # the overwritten bytes are not used
        assert np.array_equal(member.weights, read_member(zoo.members[0]).weights)


@pytest.mark.parametrize(
    ("obstacle", "words"),
    [("lock", "is locked by another program"), ("permission", "no permission"), ("folder", "is a folder")],
)
def test_a_member_that_cannot_be_opened_behind_its_index_is_not_called_damaged(zoo, tmp_path, obstacle, words):
    members = [tmp_path / path.name for path in zoo.members[:3]]
    for path, source in zip(members, zoo.members, strict=False):
        write_members(path, [read_member(source)])
    write_index(members, tmp_path / "train.h5")
    with open(members[1], "rb") as held, open_zoo(tmp_path / "train.h5") as opened:
        if obstacle == "lock":
            fcntl.flock(held, fcntl.LOCK_EX)
        elif obstacle == "permission":
            members[1].chmod(0)
        else:
            members[1].unlink()
            members[1].mkdir()
        with another_user() if obstacle == "permission" else open(os.devnull):
            message = fault(lambda: read_weights(opened, slice(2, 4)))
    assert message.startswith(f"member 1: {members[1]} ") and words in message


def test_the_limit_is_raised_as_far_as_possible():
    code = (
        "import resource as r\nr.setrlimit(r.RLIMIT_NOFILE, (150, 700))\nfrom wsl.files.opening import *\n"
        "raise_file_limit()\nprint(r.getrlimit(r.RLIMIT_NOFILE))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(700, 700)"
