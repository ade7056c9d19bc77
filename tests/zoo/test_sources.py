"""Zoos with more members than a process may open files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from wsl.errors import DataError
from wsl.zoo.index import open_zoo, read_weights, write_index
from wsl.zoo.layout import layout_from
from wsl.zoo.member import Member, write_member

COUNT = 1300
LAYOUT = layout_from([("fc.weight", (3, 4)), ("fc.bias", (3,))], [])
READ = """
import resource, sys
from pathlib import Path
import numpy as np
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[1])))
from wsl.weights.pca import fit_parameters
from wsl.weights.pca_settings import PcaSettings
from wsl.zoo.index import open_zoo, read_snapshot, read_weights
with open_zoo("train.h5") as zoo, open_zoo("train.h5") as other:
    np.save("columns.npy", read_weights(zoo, columns=slice(3, 6)))
    np.save("rows.npy", read_weights(other, slice(7, 2600, 5)))
    drawn = np.random.default_rng(0).permutation(2600)[:1500].tolist()
    np.save("drawn.npy", [read_snapshot(zoo, row) for row in drawn])
settings = PcaSettings(variance_threshold=0, dimension_limit=4, components=2)
fit_parameters("train.h5", [Path("pca.h5")], ["fc.weight"], settings)
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder with ``train.h5``, an index of ``COUNT`` members with two snapshots each."""
    root = tmp_path_factory.mktemp("many")
    row = dict.fromkeys(["train_loss", "train_accuracy", "validation_loss", "validation_accuracy"], 1.0)
    snapshots = pd.DataFrame([{"snapshot": name, "epoch": epoch, **row} for epoch, name in enumerate(["early", "max"])])
    plan = {"member": 0, "classes": ["a", "b", "c"], "width": 3}
    nothing = np.zeros((2, LAYOUT.size), np.float32)
    template = root / "template.h5"
    write_member(template, Member(plan, nothing, np.zeros((2, 0), np.int64), snapshots, snapshots, False, LAYOUT))
    for number in range(COUNT):
        path = root / "members" / f"{number:05d}.h5"
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(template, path)
        with h5py.File(path, "r+") as file:
            file.attrs["plan"] = file.attrs["plan"].replace('"member": 0', f'"member": {number}')
            file["weights"][...] = expected()[2 * number : 2 * number + 2]
    write_index(sorted((root / "members").iterdir()), root / "train.h5")
    return root


def expected():
    """Return weights of all snapshots (2 * COUNT, 15); all rows differ."""
    return np.random.default_rng(1).normal(size=(2 * COUNT, LAYOUT.size)).astype(np.float32)


@pytest.mark.parametrize("limit", [1024, 300])
def test_a_zoo_beyond_the_limit_of_open_files_is_read(many, limit):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", READ, str(limit)], cwd=many, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    weights = expected()
    assert np.array_equal(np.load(many / "columns.npy"), weights[:, 3:6])
    assert np.array_equal(np.load(many / "rows.npy"), weights[7:2600:5])
    drawn = np.random.default_rng(0).permutation(2 * COUNT)[:1500]
    assert np.array_equal(np.load(many / "drawn.npy"), weights[drawn])
    centred = weights[:, :12].astype(np.float64) - weights[:, :12].astype(np.float64).mean(axis=0)
    with h5py.File(many / "pca.h5") as file:
        assert np.allclose(file["variance"], np.linalg.svd(centred, compute_uv=False)[:2] ** 2 / (2 * COUNT - 1))


def test_the_limit_is_named_if_no_file_can_be_opened(many):
    code = "import resource as r\nr.setrlimit(r.RLIMIT_NOFILE, (130, 130))\n" + READ.replace("int(sys.argv[1])", "130")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=many, env=environment, capture_output=True, text=True, check=False
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "train.h5: its member files cannot be read: the limit of 130 open files is reached" in last


def test_a_fault_among_many_members_is_found(many, tmp_path):
    shutil.copytree(many / "members", tmp_path / "members")
    shutil.copyfile(many / "train.h5", tmp_path / "train.h5")
    broken = tmp_path / "members" / "01200.h5"
    broken.write_bytes(broken.read_bytes()[:3000])
    with (
        open_zoo(tmp_path / "train.h5") as zoo,
        pytest.raises(DataError, match=r"^member 1200: .*members/01200\.h5 is damaged: .*truncated"),
    ):
        read_weights(zoo, columns=slice(0, 2))


def test_every_row_is_found_in_its_file(many):
    with open_zoo(many / "train.h5") as zoo:
        for row in (0, 1, 2, 1301, 2599):
            assert zoo.sources.find(row) == (many / "members" / f"{row // 2:05d}.h5", row % 2)
