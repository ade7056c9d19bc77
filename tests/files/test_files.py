"""Files are written atomically and read back."""

import os
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open

from wsl.errors import DataError
from wsl.files.atomic import new_folder, written_whole
from wsl.files.hdf5 import get_table, new_hdf5, part_of, put_table
from wsl.files.plain import file_inside, list_files, listed, read_json, write_csv, write_json
from wsl.files.tensors import read_tensors, write_tensors


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [None, b"old"])
def test_an_interrupted_write_keeps_the_old_file(tmp_path, error, before):
    path = tmp_path / "folder" / "x.bin"
    if before:
        path.parent.mkdir()
        path.write_bytes(before)
    with pytest.raises(error), written_whole(path) as temporary:
        temporary.write_bytes(b"half")
        raise error
    left = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert left == ({"x.bin": before} if before else {})


def test_an_interrupted_hdf5_file_does_not_appear(tmp_path):
    with pytest.raises(ValueError, match="stop"), new_hdf5(tmp_path / "x.h5") as file:
        file["a"] = 1
        raise ValueError("stop")
    assert list(tmp_path.iterdir()) == []


def test_a_file_does_not_appear_before_its_end(tmp_path):
    with written_whole(tmp_path / "x.txt") as temporary:
        temporary.write_text("whole")
        assert not (tmp_path / "x.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]
    assert (tmp_path / "x.txt").read_text() == "whole"


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"n": [1, 2], "x": [0.1, np.nan], "yes": [True, False], "word": ['Äh, "so"', "a/b"]}),
        pd.DataFrame({"b": [1], "a": [2]}),  # the order of columns is kept
        pd.DataFrame({"word": ["a"]}).iloc[:0],
        pd.DataFrame(columns=["snapshot", "epoch"]),
    ],
    ids=["kinds", "order", "no row", "no row, no type"],
)
def test_a_table_is_read_back_from_hdf5(tmp_path, table):
    with new_hdf5(tmp_path / "t.h5") as file:
        put_table(file, "table", table)
    with h5py.File(tmp_path / "t.h5") as file:
        again = get_table(file, "table")
    assert list(again.columns) == list(table.columns) and len(again) == len(table)
    for column in table.columns:
        if len(table):
            assert again[column].dtype.kind == table[column].dtype.kind
            pd.testing.assert_series_equal(again[column], table[column])


def test_csv_has_no_row_labels(tmp_path):
    write_csv(tmp_path / "t.csv", pd.DataFrame({"a": [1], "b": ["x,y"]}))
    assert (tmp_path / "t.csv").read_text() == 'a,b\n1,"x,y"\n'


def test_json_is_read_back(tmp_path):
    content = {"ä": [1, 2.5, None, True], "b": {"c": "d"}}
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json") == content
    with pytest.raises(TypeError):
        write_json(tmp_path / "y.json", {"x": object()})
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_tensors_are_read_back_with_their_description(tmp_path):
    tensors = {"a.weight": torch.randn(3, 4).T, "count": torch.tensor(7), "on": torch.randn(2, requires_grad=True)}
    write_tensors(tmp_path / "x.safetensors", tensors, {"classes": ["ant", "bee"], "n": 1})
    again, about = read_tensors(tmp_path / "x.safetensors")
    assert about == {"classes": ["ant", "bee"], "n": 1}
    assert set(again) == set(tensors)
    for name, value in tensors.items():
        assert again[name].dtype == value.dtype and torch.equal(again[name], value)


def test_equal_tensors_give_equal_files_that_say_they_are_torchs(tmp_path):
    """The library itself writes the two entries of the metadata in a random order."""
    written, about = set(), {"classes": ["fourmi", 'œuf\n"\x01']}
    for _ in range(12):
        write_tensors(tmp_path / "x.safetensors", {"é": torch.ones(2, 3), "b": torch.zeros(1)}, about)
        written.add((tmp_path / "x.safetensors").read_bytes())
    assert len(written) == 1
    with safe_open(tmp_path / "x.safetensors", "np") as file:
        assert file.metadata()["format"] == "pt" and file.get_tensor("é").tolist() == [[1, 1, 1], [1, 1, 1]]
    assert read_tensors(tmp_path / "x.safetensors")[1] == about


def test_a_list_of_files_names_them_and_changes_with_them(tmp_path):
    names, out = ["b.h5", "folder/a.h5"], tmp_path / "all.json"
    (tmp_path / "folder").mkdir()
    for name in names:
        (tmp_path / name).write_text(name)
    paths = [tmp_path / name for name in names]
    list_files(paths, out)
    before = out.read_bytes()
    assert [path.resolve() for path in listed(out)] == paths == listed(paths)
    paths[0].touch()
    list_files(paths, out)
    assert out.read_bytes() == before, "an equal file makes dependent jobs stale"
    paths[0].write_text("other")
    list_files(paths, out)
    assert out.read_bytes() != before


def test_a_file_missing_behind_its_list_is_named_with_the_remedy(tmp_path):
    (tmp_path / "a.h5").touch()
    list_files([tmp_path / "a.h5"], tmp_path / "all.json")
    (tmp_path / "a.h5").unlink()
    with pytest.raises(DataError, match=r"a\.h5 is missing; restore it, or list the files of .*all\.json"):
        listed(tmp_path / "all.json")


def test_a_list_that_names_files_outside_its_folder_is_refused(tmp_path):
    (tmp_path / "secret.h5").touch()
    for name in ("../secret.h5", str(tmp_path / "secret.h5"), "deep/../../secret.h5"):
        write_json(tmp_path / "run" / "all.json", {name: "digest"})
        with pytest.raises(DataError, match=r"secret\.h5 lies outside .*run"):
            listed(tmp_path / "run" / "all.json")


def test_the_next_write_removes_the_temporary_file_of_a_killed_writer(tmp_path):
    writes = "import os, sys\nfrom wsl.files.atomic import written_whole\nwith written_whole(sys.argv[1]) as file:\n"
    killed = writes + "    file.write_text('half')\n    os.kill(os.getpid(), 9)\n"
    assert subprocess.run([sys.executable, "-c", killed, tmp_path / "x.txt"], check=False).returncode == -9
    (torn,) = tmp_path.iterdir()
    assert torn.name.endswith(".part")
    alive = tmp_path / f".x.txt.{os.getppid()}.part"  # of another process that writes the same file
    alive.touch()
    with written_whole(tmp_path / "x.txt") as temporary:
        temporary.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"x.txt", alive.name}


def test_folders_are_written_atomically(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "in" / "out") as folder:
        (folder / "half").touch()
        raise RuntimeError
    assert list((tmp_path / "in").iterdir()) == []
    with new_folder(tmp_path / "in" / "out") as folder:
        (folder / "whole").touch()
        assert not (tmp_path / "in" / "out").exists()
    assert [path.name for path in (tmp_path / "in").rglob("*")] == ["out", "whole"]
    with pytest.raises(DataError, match="out exists already"), new_folder(tmp_path / "in" / "out"):
        pass
    assert (tmp_path / "in" / "out" / "whole").exists()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "link", "linked/x", "folder/link"])
def test_a_file_outside_of_its_folder_is_refused(tmp_path, name):
    (tmp_path / "x").touch()
    folder = tmp_path / "folder"
    (folder / "a").mkdir(parents=True)
    (folder / "folder").mkdir()
    (folder / "link").symlink_to(tmp_path / "x")
    (folder / "folder" / "link").symlink_to("../../x")
    (folder / "linked").symlink_to(tmp_path)
    with pytest.raises(DataError, match="lies outside"):
        file_inside(folder, name)


def test_a_file_inside_is_found_through_links_too(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x").touch()
    (folder / "link").symlink_to("x")
    (tmp_path / "way").symlink_to(folder)
    assert file_inside(folder, "x").samefile(file_inside(tmp_path / "way", "link"))
    with pytest.raises(DataError, match="y is missing; add the file"):
        file_inside(folder, "y")


@pytest.mark.parametrize("mask", [0o022, 0o007])
def test_tensors_have_the_permissions_of_other_new_files(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_tensors(tmp_path / "x.safetensors", {"a": torch.ones(2)}, {})
        write_json(tmp_path / "x.json", {})
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {0o666 & ~mask}


def test_files_in_the_hubs_cache_are_links_to_its_blobs(tmp_path):
    """Only the blobs of the same repository count as inside."""
    cache = tmp_path / "models--me--x"
    folder, secret = cache / "snapshots" / "0a1b" / "zoo", tmp_path / "secret"
    for path in (folder, cache / "blobs"):
        path.mkdir(parents=True)
    for name, target in (("good", cache / "blobs" / "77"), ("bad", secret)):
        target.write_text(name)
        (folder / name).symlink_to(target)
    assert file_inside(folder, "good").read_text() == "good"
    with pytest.raises(DataError, match="lies outside"):
        file_inside(folder, "bad")


def test_the_part_is_an_attribute_or_the_name_of_the_file(tmp_path):
    with new_hdf5(tmp_path / "copy.h5") as file:
        file.attrs["part"] = "train"
    with new_hdf5(tmp_path / "test.h5"):
        pass
    assert part_of(tmp_path / "copy.h5") == "train" and part_of(tmp_path / "test.h5") == "test"
