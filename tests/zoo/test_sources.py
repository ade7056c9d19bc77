"""Reading the files behind an index: more than a process may open, and some members of each."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest

from wsl.errors import DataError
from wsl.zoo.index import open_zoo, read_snapshot, read_weights, write_index
from wsl.zoo.layout import layout_from
from wsl.zoo.member import Member, write_members

COUNT = 400
LAYOUT = layout_from([("fc.weight", (3, 4)), ("fc.bias", (3,))], [])
READ = """
import sys
from resource import RLIMIT_NOFILE, setrlimit
setrlimit(RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[1])))
from pathlib import Path
import numpy as np
from wsl.weights.pca import fit_parameters
from wsl.weights.pca_settings import PcaSettings
from wsl.zoo.index import open_zoo, read_snapshot, read_weights
with open_zoo("train.h5") as zoo, open_zoo("train.h5") as other:
    np.save("columns.npy", read_weights(zoo, columns=slice(3, 6)))
    np.save("rows.npy", read_weights(other, slice(7, 800, 5)))
    drawn = np.random.default_rng(0).permutation(800)[:500].tolist()
    np.save("drawn.npy", [read_snapshot(zoo, row) for row in drawn])
settings = PcaSettings(variance_threshold=0, dimension_limit=4, components=2)
fit_parameters("train.h5", [Path("pca.h5")], ["fc.weight"], settings)
"""
NO_FILE = """
import os
from resource import RLIMIT_NOFILE, setrlimit
from wsl.zoo.index import open_zoo, read_weights
with open_zoo("train.h5") as zoo:
    zoo.snapshots
    setrlimit(RLIMIT_NOFILE, (64, 64))
    try:
        while True:
            os.open(os.devnull, os.O_RDONLY)
    except OSError:
        read_weights(zoo)
"""


def expected(rows=2 * COUNT):
    """Return weights of all snapshots (rows, 15); all rows differ."""
    return np.random.default_rng(1).normal(size=(rows, LAYOUT.size)).astype(np.float32)


def member(number, weights, diverged=False):
    """Return a member with these weights (snapshots, 15)."""
    values = dict.fromkeys(["train_loss", "train_accuracy", "validation_loss", "validation_accuracy"], 1.0)
    snapshots = pd.DataFrame({"snapshot": [f"epoch{i}" for i in range(len(weights))], "epoch": range(len(weights))})
    plan = {"member": number, "classes": ["a", "b", "c"], "width": 3}
    counters = np.full((len(weights), 0), 0, np.int64)
    return Member(plan, weights, counters, snapshots.assign(**values), snapshots.assign(**values), diverged, LAYOUT)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder with ``train.h5``, an index of ``COUNT`` members with two snapshots each, one file per member."""
    root = tmp_path_factory.mktemp("many")
    (root / "members").mkdir()
    write_members(root / "template.h5", [member(0, np.zeros((2, LAYOUT.size), np.float32))])
    for number in range(COUNT):
        path = shutil.copyfile(root / "template.h5", root / "members" / f"{number:05d}.h5")
        with h5py.File(path, "r+") as file:
            for table in ("members", "snapshots", "history"):
                file[f"{table}/member"][...] = number
            file["members/plan"][0] = file["members/plan"].asstr()[0].replace('"member": 0', f'"member": {number}')
            file["weights"][...] = expected()[2 * number : 2 * number + 2]
    write_index(sorted((root / "members").iterdir()), root / "train.h5")
    return root


def in_a_process(code, folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_zoo_beyond_the_limit_of_open_files_is_read(many):
    done = in_a_process(READ, many, "200")
    assert done.returncode == 0, done.stderr
    weights = expected()
    assert np.array_equal(np.load(many / "columns.npy"), weights[:, 3:6])
    assert np.array_equal(np.load(many / "rows.npy"), weights[7:800:5])
    drawn = np.random.default_rng(0).permutation(2 * COUNT)[:500]
    assert np.array_equal(np.load(many / "drawn.npy"), weights[drawn])
    centred = weights[:, :12].astype(np.float64) - weights[:, :12].astype(np.float64).mean(axis=0)
    with h5py.File(many / "pca.h5") as file:
        assert np.allclose(file["variance"], np.linalg.svd(centred, compute_uv=False)[:2] ** 2 / (2 * COUNT - 1))


def test_the_limit_is_named_if_no_file_can_be_opened(many):
    last = in_a_process(NO_FILE, many).stderr.strip().splitlines()[-1]
    assert "members/00000.h5 cannot be opened: the limit of 64 open files is reached; raise it with `ulimit" in last


def test_a_fault_among_many_members_is_found(many, tmp_path):
    shutil.copytree(many / "members", tmp_path / "members")
    shutil.copyfile(many / "train.h5", tmp_path / "train.h5")
    broken = tmp_path / "members" / "00300.h5"
    broken.write_bytes(broken.read_bytes()[:3000])
    with (
        open_zoo(tmp_path / "train.h5") as zoo,
        pytest.raises(DataError, match=r"^member 300: .*members/00300\.h5 is damaged: .*truncated"),
    ):
        read_weights(zoo, columns=slice(0, 2))


def test_every_row_is_found_in_its_file(many):
    with open_zoo(many / "train.h5") as zoo:
        for row in (0, 1, 2, 401, 799):
            assert zoo.sources.find(row) == many / "members" / f"{row // 2:05d}.h5"


@pytest.fixture
def cohorts(tmp_path):
    """A copy of a zoo of 30 members in 3 files, by brute force: ``paths``, ``index`` of some, ``weights`` (its rows).

    Members have 0 to 3 snapshots, and some have diverged.
    """
    rng, rows, chosen = np.random.default_rng(4), [], [0, 1, 4, 5, 6, 9, 10, 23, 25, 28]
    paths = []
    for start in (0, 10, 20):
        members = [
            member(number, rng.normal(size=(number % 4, LAYOUT.size)).astype(np.float32), number % 5 == 4)
            for number in range(start, start + 10)
        ]
        paths.append(tmp_path / "members" / f"{start:05d}-{start + 9:05d}.h5")
        write_members(paths[-1], members)
        rows += [one.weights for one in members if one.number in chosen and not one.diverged]
    write_index(paths, tmp_path / "part.h5", chosen)
    return SimpleNamespace(paths=paths, chosen=chosen, index=tmp_path / "part.h5", weights=np.concatenate(rows))


def test_some_members_of_cohorts_read_as_a_copy_of_them(cohorts):
    with open_zoo(cohorts.index) as zoo:
        assert zoo.members["member"].tolist() == cohorts.chosen and len(zoo.snapshots) == len(cohorts.weights)
        assert np.array_equal(read_weights(zoo), cohorts.weights)
        assert np.array_equal(read_weights(zoo, columns=slice(2, 13)), cohorts.weights[:, 2:13])
        assert np.array_equal(read_weights(zoo, slice(1, None, 3), slice(5, 6)), cohorts.weights[1::3, 5:6])
        assert np.array_equal(read_snapshot(zoo, 7), cohorts.weights[7])
        assert read_weights(zoo, slice(3, 3)).shape == (0, 15)
    with h5py.File(cohorts.index) as file:  # other programs read the virtual dataset
        assert np.array_equal(file["weights"], cohorts.weights)


def test_a_damaged_cohort_is_named_with_its_members(cohorts):
    broken = cohorts.paths[2]
    broken.write_bytes(broken.read_bytes()[:3000])
    with open_zoo(cohorts.index) as zoo:
        assert np.array_equal(read_weights(zoo, slice(0, 4)), cohorts.weights[:4])
        with pytest.raises(DataError, match=r"^2 members \(23 to 25\): .*/00020-00029\.h5 is damaged: .*truncated"):
            read_weights(zoo)


def test_a_cohort_that_was_replaced_is_refused(cohorts):
    write_members(cohorts.paths[1], [member(10, np.zeros((1, LAYOUT.size), np.float32))])
    with open_zoo(cohorts.index) as zoo, pytest.raises(DataError, match=r"^member 10: .*19\.h5 holds other snapshots"):
        read_weights(zoo)


def test_a_member_in_no_file_is_refused(cohorts, tmp_path):
    with pytest.raises(DataError, match=r"^other\.h5 lists member 30, which is not in .*00009\.h5, .*; name its file"):
        write_index(cohorts.paths, tmp_path / "other.h5", [3, 30])
