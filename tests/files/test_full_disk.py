"""Full and read-only disks: a message names the file and the remedy, and existing files are kept."""

import resource

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from wsl.errors import DataError
from wsl.figures.style import save
from wsl.files.hdf5 import new_hdf5, put_table
from wsl.files.plain import write_csv, write_json
from wsl.files.tensors import write_tensors
from wsl.jobs.progress import Progress
from wsl.runs.disk import check_disk
from wsl.runs.run import Run
from wsl.zoo.layout import layout_from
from wsl.zoo.member import Member, write_members

LAYOUT = layout_from([("fc.weight", (3, 1000)), ("fc.bias", (3,)), ("rest", (36_997,))], ["a", "b"])
ROOM = 96 * 1024  # bytes, fewer than any file needs


def numbers(count=40_000):
    return np.random.default_rng(0).random(count, dtype=np.float32)


def hdf5(path):
    with new_hdf5(path) as file:
        file["a"] = numbers()


def tables(path):
    """Mostly internal tables of HDF5, which it writes last."""
    with new_hdf5(path) as file:
        for place in range(60):
            put_table(file, str(place), pd.DataFrame({"a": [1], "b": ["ä"]}))


def member(path):
    table = pd.DataFrame({"snapshot": ["max"], "epoch": [3]})
    write_members(
        path, [Member({"member": 0}, numbers()[None], np.zeros((1, 2), np.int64), table, table, False, LAYOUT)]
    )


def progress(path):
    Progress(path, "key", seconds=0).save(lambda: {"a": torch.from_numpy(numbers())})


def figure(path):
    picture = Figure((4, 4))
    picture.add_subplot().imshow(numbers(120_000).reshape(200, 200, 3))
    save(picture, path, path.with_suffix(".png"))


WRITERS = {
    "hdf5": hdf5,
    "tables": tables,
    "member": member,
    "progress": progress,
    "figure.pdf": figure,
    "safetensors": lambda path: write_tensors(path, {"a": torch.from_numpy(numbers())}, {}),
    "json": lambda path: write_json(path, numbers(10_000).tolist()),
    "csv": lambda path: write_csv(path, pd.DataFrame({"a": numbers()})),
}


@pytest.fixture(params=["disk", "limit"])
def cramped(request, tmp_path):
    """A folder in which no file can exceed ``ROOM``: by the size of its disk, or by a limit on the size of files."""
    if request.param == "disk":
        yield request.getfixturevalue("disk")(tmp_path / "small", f"size={ROOM}")
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_reported_and_the_old_file_is_kept(cramped, tmp_path, name):
    (cramped / name).write_text("before")
    before = contents(cramped)
    with pytest.raises(DataError, match=rf"^{cramped}/\S+ cannot be written \((No space|File too).*; free"):
        WRITERS[name](cramped / name)
    assert contents(cramped) == before


def test_hdf5_survives_a_disk_that_is_full_at_any_place(disk, fill, tmp_path):
    # HDF5 itself crashes in some of these cases: where its own tables do not fit.
    folder = disk(tmp_path / "small", "size=2m")
    member(folder / "member")
    intact = (folder / "member").read_bytes()
    (folder / "member").unlink()
    for left in range(0, len(intact), 4096):
        filler = fill(folder, left)
        with pytest.raises(DataError, match="No space left"):
            member(folder / "member")
        assert contents(folder).keys() == {"filler"}
        filler.unlink()
    member(folder / "member")
    assert (folder / "member").read_bytes() == intact


def test_a_full_disk_keeps_the_last_state_of_a_job(disk, fill, tmp_path):
    kept = Progress(disk(tmp_path / "small", f"size={ROOM}") / "out", "key", seconds=0)
    kept.save(lambda: {"epoch": 1})
    fill(tmp_path / "small", 0)
    with pytest.raises(DataError, match=r"whole\.pt cannot be written \(No space left"):
        kept.save(lambda: {"epoch": 2, "a": torch.zeros(10_000)})
    assert kept.load() == {"epoch": 1}


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_that_cannot_be_written_to_is_named(disk, tmp_path, name):
    folder = disk(tmp_path / "sealed", "ro")
    with pytest.raises(DataError, match=rf"{name}.*\(Read-only file system\); make {folder} writable"):
        WRITERS[name](folder / name)


def test_a_run_that_cannot_write_is_refused_before_it_starts(disk, tmp_path):
    run = Run({"run": "small", "zoo": {"architecture": {"width": 2}}})
    sealed = disk(tmp_path / "sealed", "ro")
    with pytest.raises(DataError, match=r"small cannot be written \(Read-only file system\); make .*sealed writable"):
        check_disk(run, sealed / "results" / "small")
    assert check_disk(run, tmp_path / "results" / "small")
