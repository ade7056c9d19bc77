"""`wsl sample` under faults: a message and code 1, and nothing half-made."""

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


def test_a_full_disk_is_said_and_nothing_is_left(run, own, disk, fill, tmp_path):
    small = disk(tmp_path / "small", "size=1m")
    fill(small, 8192)
    code, said = call("sample", own, "--from", run, "--out", small / "model.safetensors")
    assert code == 1 and f"{small}/model.safetensors cannot be written (No space left on device); free disk" in said
    assert [path.name for path in small.iterdir()] == ["filler"]
    (small / "filler").unlink()
    assert call("sample", own, "--from", run, "--out", small / "model.safetensors")[0] == 0
    assert {path.name for path in small.iterdir()} == {"model.safetensors", "model.safetensors.md"}


def test_a_full_disk_for_what_is_made_on_the_way_is_said(run, own, disk, fill, tmp_path, monkeypatch):
    small = disk(tmp_path / "small", "size=1m")
    fill(small, 8192)
    monkeypatch.setattr("tempfile.tempdir", str(small))
    code, said = call("sample", own, "--from", run, "--out", tmp_path / "model.safetensors")
    assert code == 1 and "cannot be written (No space left on device); free disk" in said
    assert not (tmp_path / "model.safetensors").exists() and [path.name for path in small.iterdir()] == ["filler"]


def test_a_sealed_folder_is_named(run, own, disk, tmp_path):
    sealed = disk(tmp_path / "sealed", "ro")
    code, said = call("sample", own, "--from", run, "--out", sealed / "model.safetensors")
    assert code == 1 and f"{sealed}/model.safetensors cannot be written (Read-only file system); make {sealed}" in said


def test_brackets_are_no_markup(run, own, tmp_path):
    mine = tmp_path / "mine [bold]"
    for path, name in zip(sorted(own.iterdir()), ("[a] köttbullar", "[b] 食", "[red]'é"), strict=True):
        shutil.copytree(path, mine / name)
    code, said = call("sample", mine, "--from", run, "--out", tmp_path / "[x].safetensors")
    said = "".join(said.split())  # a long path is broken over lines
    assert code == 0 and all(name in said for name in ("[a]köttbullar", "[b]食", "[red]'é", "[x].safetensors"))
    code, said = call("inspect", tmp_path / "[x].safetensors")
    assert code == 0 and "[b] 食" in said
    code, said = call("sample", mine / "[/nowhere]", "--from", run)
    assert code == 1 and "mine [bold]/[/nowhere]" in said


@pytest.mark.parametrize("name", ["a\nb", "..", ".a", "a{b}"])
def test_names_that_could_do_harm_are_refused(run, tmp_path, name):
    code, said = call("sample", "--classes", f"{name},c,d", "--from", run, "--out", tmp_path / "model.safetensors")
    assert code == 1 and repr(name)[1:-1] in said and not list(tmp_path.iterdir())


@pytest.fixture
def altered(sampler_of):
    """A run whose description is changed: ``altered(change)``."""

    def make(change):
        one = sampler_of()
        content = read_json(one / NAME)
        change(content)
        write_json(one / NAME, content)
        return one

    return make


@pytest.mark.parametrize("path", ["/etc/passwd", "../../secret.h5", "../x/../../secret.h5"])
@pytest.mark.parametrize("key", ["train_index", "packed"])
def test_a_run_names_no_file_outside_its_folder(altered, own, tmp_path, path, key):
    one = altered(lambda content: content["files"].update({key: path if key == "index" else [path]}))
    (one.parent / "secret.h5").touch()
    with pytest.raises(DataError, match=rf"lies outside {one}, which must contain all"):
        load_description(one)
    code, said = call("sample", own, "--from", one, "--out", tmp_path / "model.safetensors")
    assert code == 1 and "lies outside" in said and not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_a_run_with_a_file_cut_short_is_named(altered, own, tmp_path, share):
    one = altered(lambda content: None)
    source = (one / "sampling" / read_json(one / NAME)["files"]["shared"]).resolve()
    torn = one / "torn.safetensors"
    torn.write_bytes(source.read_bytes()[: int(share * source.stat().st_size)])
    content = read_json(one / NAME)
    write_json(one / NAME, content | {"files": content["files"] | {"shared": "../torn.safetensors"}})
    code, said = call("sample", own, "--from", one, "--out", tmp_path / "model.safetensors")
    assert code == 1 and "torn.safetensors is damaged" in said


def test_a_sampler_whose_models_are_no_numbers_is_told(altered, own, shared, tmp_path):
    state, about = read_tensors(shared.state)
    one = altered(lambda content: content["files"].update(shared="../huge.safetensors"))
    write_tensors(one / "huge.safetensors", {name: torch.full_like(x, 3e38) for name, x in state.items()}, about)
    code, said = call("sample", own, "--from", one, "--out", tmp_path / "model.safetensors")
    assert code == 1 and "the model sampled for the task own: apple/own: pear/own: plum is not finite in " in said
    assert not (tmp_path / "model.safetensors").exists()


def test_the_parameter_that_is_no_number_is_named():
    layout = resnet18_layout(1, 2)
    weights = np.zeros(layout.size, np.float32)
    assert finite(weights, layout, "a/b") is weights
    weights[layout["layer2.0.bn1.bias"].offset] = np.inf
    with pytest.raises(DataError, match=r"for the task a/b is not finite in layer2\.0\.bn1\.bias; request another"):
        finite(weights, layout, "a/b")
