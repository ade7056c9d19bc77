"""Runs of a zoo that cannot be read are left out and named; the others keep their numbers."""

import json
import shutil

import numpy as np
import pytest
import torch

from tests.zoo.foreign.conftest import folder_of
from wsl.errors import DataError
from wsl.zoo.foreign.importing import ImportOptions, import_zoo


def spoil(folder, change):
    path = folder / "checkpoint_000010" / "checkpoints"
    state = torch.load(path)
    change(state)
    torch.save(state, path)


def wider(zoos, folder):
    shutil.rmtree(folder)
    zoos.ray_run(folder.parent, 2, lambda: zoos.SlimResNet(3))


def more_classes(zoos, folder):
    spoil(folder, lambda state: state.update({"fc.weight": torch.zeros(4, 16), "fc.bias": torch.zeros(4)}))


def hostile(zoos, folder):
    torch.save({"fc.weight": zoos.Evil(folder.parent / "trace")}, folder / "checkpoint_000005" / "checkpoints")


def twin(zoos, folder):
    shutil.rmtree(folder)
    shutil.copytree(folder_of(folder.parent, 1), folder)


def unmeasured(zoos, folder):
    lines = (folder / "result.json").read_text().splitlines()
    last = lines[10].replace('"val_loss": ', '"val_loss": NaN, "x": ')
    (folder / "result.json").write_text("\n".join([*lines[:10], last]))


def unwritten(zoos, folder):
    lines = (folder / "result.json").read_text().splitlines()
    (folder / "result.json").write_text("\n".join(lines[:10]))


def torn(zoos, folder):
    (folder / "result.json").write_text((folder / "result.json").read_text()[:-50])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda zoos, f: spoil(f, lambda s: s["bn1.weight"].fill_(np.nan)),
            r"checkpoints: bn1\.weight holds NaN.*by --epochs, or the run by --leave-out",
        ),
        (
            wider,
            r"checkpoints: conv1\.weight \(3, 3, 3, 3\) in place of conv1\.weight \(2, 3, 3, 3\), which .*--leave-out",
        ),
        (more_classes, r"checkpoints: fc\.weight \(4, 16\) in place of fc\.weight \(3, 16\), which"),
        (
            hostile,
            "checkpoints cannot be read: loading it would run .*no code of a file is run; load it where it was made",
        ),
        (twin, "is a copy of .*seed=1_.*, which is kept: equal weights and equal results"),
        (unmeasured, r"epoch 10 has no finite validation results; add them, .* among \[5\]"),
        (torn, r"epoch 10 has no finite validation results; add them, .* among \[5\]"),
        (unwritten, r"2 checkpoints, 5, 10, and results of 10 epochs, .* nothing shows which belong together"),
        (lambda zoos, f: (f / "result.json").write_text("{\n"), r"result\.json, line 1 is not JSON"),
    ],
)
def test_a_run_that_cannot_be_read_is_left_out_and_named(zoos, ray, tmp_path, damage, message, caplog):
    damage(zoos, folder_of(ray, 2))
    name = folder_of(ray, 2).name
    done = import_zoo(ray, tmp_path / "out", ImportOptions(shares=(1, 0, 0)))
    assert done.parts == {"train": 3} and list(done.skipped) == [name]
    assert f"left out {name}" in caplog.text
    about = json.loads((tmp_path / "out" / "import.json").read_text())
    assert list(about["skipped"]) == [name]
    # The others keep their numbers.
    assert sorted(path.stem for path in (tmp_path / "out" / "members").iterdir()) == ["00000", "00001", "00003"]
    with pytest.raises(DataError, match=message):
        import_zoo(ray, tmp_path / "strict", ImportOptions(shares=(1, 0, 0), strict=True))
    assert not (tmp_path / "strict").exists() and not (ray / "trace").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "ray"]
