"""`wsl sample` under faults: a message and code 1, and no incomplete files."""

import shutil

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.networks import resnet18_layout
from wsl.cli.main import app
from wsl.errors import DataError
from wsl.files.plain import read_json, write_json
from wsl.files.tensors import read_tensors, write_tensors
from wsl.sampling.description import NAME, load_description
from wsl.sampling.methods.base import finite


def call(*arguments):
    done = CliRunner(env={"COLUMNS": "500"}).invoke(app, [*map(str, arguments)])
    return done.exit_code, " ".join(done.output.split())


def test_a_full_disk_is_reported_and_leaves_no_file(run, photos, disk, fill, tmp_path):
    small = disk(tmp_path / "small", "size=1m")
    fill(small, 8192)
    code, output = call("sample", photos, "--from", run, "--out", small / "model.safetensors")
    assert code == 1 and f"{small}/model.safetensors cannot be written (No space left on device); free disk" in output
    assert [path.name for path in small.iterdir()] == ["filler"]
    (small / "filler").unlink()
    assert call("sample", photos, "--from", run, "--out", small / "model.safetensors")[0] == 0
    assert {path.name for path in small.iterdir()} == {"model.safetensors", "model.safetensors.md"}


def test_a_full_disk_for_temporary_files_is_reported(run, photos, disk, fill, tmp_path, monkeypatch):
    small = disk(tmp_path / "small", "size=1m")
    fill(small, 8192)
    monkeypatch.setattr("tempfile.tempdir", str(small))
    code, output = call("sample", photos, "--from", run, "--out", tmp_path / "model.safetensors")
    assert code == 1 and "cannot be written (No space left on device); free disk" in output
    assert not (tmp_path / "model.safetensors").exists() and [path.name for path in small.iterdir()] == ["filler"]


def test_a_read_only_folder_is_named(run, photos, disk, tmp_path):
    sealed = disk(tmp_path / "sealed", "ro")
    code, output = call("sample", photos, "--from", run, "--out", sealed / "model.safetensors")
    message = f"{sealed}/model.safetensors cannot be written (Read-only file system); make {sealed}"
    assert code == 1 and message in output


def test_brackets_are_not_markup(run, photos, tmp_path):
    mine = tmp_path / "mine [bold]"
    for path, name in zip(sorted(photos.iterdir()), ("[a] köttbullar", "[b] 食", "[red]'é"), strict=True):
        shutil.copytree(path, mine / name)
    code, output = call("sample", mine, "--from", run, "--out", tmp_path / "[x].safetensors")
    output = "".join(output.split())  # a long path is broken over lines
    assert code == 0 and all(name in output for name in ("[a]köttbullar", "[b]食", "[red]'é", "[x].safetensors"))
    code, output = call("inspect", tmp_path / "[x].safetensors")
    assert code == 0 and "[b] 食" in output
    code, output = call("sample", mine / "[/nowhere]", "--from", run)
    assert code == 1 and "mine [bold]/[/nowhere]" in output


@pytest.mark.parametrize("name", ["a\nb", "..", ".a", "a{b}"])
def test_names_that_could_do_harm_are_refused(run, tmp_path, name):
    code, output = call("sample", "--classes", f"{name},c,d", "--from", run, "--out", tmp_path / "model.safetensors")
    assert code == 1 and repr(name)[1:-1] in output and not list(tmp_path.iterdir())


@pytest.fixture
def altered(sampler_of):
    """A run with a changed description: ``altered(change)``."""

    def make(change):
        folder = sampler_of()
        content = read_json(folder / NAME)
        change(content)
        write_json(folder / NAME, content)
        return folder

    return make


@pytest.mark.parametrize("path", ["/etc/passwd", "../../secret.h5", "../x/../../secret.h5"])
@pytest.mark.parametrize("key", ["train_index", "packed"])
def test_a_run_names_no_file_outside_its_folder(altered, photos, tmp_path, path, key):
    folder = altered(lambda content: content["files"].update({key: path if key == "index" else [path]}))
    (folder.parent / "secret.h5").touch()
    with pytest.raises(DataError, match=rf"lies outside {folder}, which must contain all"):
        load_description(folder)
    code, output = call("sample", photos, "--from", folder, "--out", tmp_path / "model.safetensors")
    assert code == 1 and "lies outside" in output and not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_a_truncated_file_of_a_run_is_named(altered, photos, tmp_path, share):
    folder = altered(lambda content: None)
    source = (folder / "sampling" / read_json(folder / NAME)["files"]["shared"]).resolve()
    torn = folder / "torn.safetensors"
    torn.write_bytes(source.read_bytes()[: int(share * source.stat().st_size)])
    content = read_json(folder / NAME)
    write_json(folder / NAME, content | {"files": content["files"] | {"shared": "../torn.safetensors"}})
    code, output = call("sample", photos, "--from", folder, "--out", tmp_path / "model.safetensors")
    assert code == 1 and "torn.safetensors is damaged" in output


def test_a_sampler_whose_models_are_not_finite_is_reported(altered, photos, shared, tmp_path):
    state, about = read_tensors(shared.state)
    folder = altered(lambda content: content["files"].update(shared="../huge.safetensors"))
    write_tensors(folder / "huge.safetensors", {name: torch.full_like(x, 3e38) for name, x in state.items()}, about)
    code, output = call("sample", photos, "--from", folder, "--out", tmp_path / "model.safetensors")
    assert code == 1 and "the model sampled for the task own: apple/own: pear/own: plum is not finite in " in output
    assert not (tmp_path / "model.safetensors").exists()


def test_the_parameter_that_is_not_finite_is_named():
    layout = resnet18_layout(1, 2)
    weights = np.zeros(layout.size, np.float32)
    assert finite(weights, layout, "a/b") is weights
    weights[layout["layer2.0.bn1.bias"].offset] = np.inf
    with pytest.raises(DataError, match=r"for the task a/b is not finite in layer2\.0\.bn1\.bias; request another"):
        finite(weights, layout, "a/b")
