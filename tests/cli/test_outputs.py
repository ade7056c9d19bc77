"""Outputs of `wsl sample` and `wsl export`: only --force overwrites files, and the suffix determines the format."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.networks import resnet18
from wsl.cli.main import app
from wsl.files.tensors import read_tensors
from wsl.sampling.model_files import read_model, write_model

ROOT = Path(__file__).parents[2]


def call(*arguments, code=0):
    done = CliRunner(env={"COLUMNS": "500"}).invoke(app, [*map(str, arguments)])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


@pytest.fixture
def unused(monkeypatch):
    """Fails a call that begins to work."""

    def fail(*_, **__):
        raise AssertionError("work began")

    monkeypatch.setattr("wsl.sampling.user_classes.embed_user_classes", fail)
    monkeypatch.setattr("wsl.sampling.onnx.read_model", fail)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("koala.md", "koala.md has the suffix .md; name a file that ends in .safetensors or .pt or .pth"),
        ("koala", "koala has no suffix; name a file that ends in .safetensors"),
        ("koala.onnx", "for ONNX, sample a model and run `wsl export` on it"),
        ("koala.bin", "koala.bin has the suffix .bin"),
        ("nowhere/koala.pt", "there is no folder"),
        ("folder.pt", "folder.pt is a folder; name a file in it"),
        ("there.pt", "there.pt exists already; name another file, or replace this one with --force"),
        ("carded.pt", "carded.pt.md exists already"),
        ("pipe.pt", "pipe.pt is not a regular file"),
        ("link.pt", "link.pt exists already"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_work(unused, run, photos, tmp_path, out, message):
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "there.pt").write_text("mine")
    (tmp_path / "carded.pt.md").write_text("mine")
    (tmp_path / "link.pt").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.pt")
    before = sorted(tmp_path.iterdir())
    assert message in call("sample", photos, "--from", run, "--out", tmp_path / out, code=1)
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "there.pt").read_text() == "mine"


@pytest.mark.parametrize("out", ["folder.pt", "pipe.pt"])
def test_force_replaces_only_files(unused, run, photos, tmp_path, out):
    (tmp_path / "folder.pt").mkdir()
    os.mkfifo(tmp_path / "pipe.pt")
    call("sample", photos, "--from", run, "--out", tmp_path / out, "--force", code=1)
    assert (tmp_path / "folder.pt").is_dir() and not (tmp_path / "pipe.pt").is_file()


def test_a_read_only_folder_is_refused_before_work(unused, run, photos, disk, tmp_path):
    sealed = disk(tmp_path / "sealed", "ro")
    output = call("sample", photos, "--from", run, "--out", sealed / "m.pt", code=1)
    assert f"{sealed}/m.pt cannot be written (Read-only file system); make {sealed} writable" in output


def test_models_of_similar_names_have_their_own_cards(run, photos, tmp_path):
    for name in ("koala.v1.safetensors", "koala.v2.safetensors", "koala.v2.pt"):
        call("sample", photos, "--from", run, "--out", tmp_path / name)
    assert len(list(tmp_path.iterdir())) == 6
    for path in tmp_path.glob("*.md"):
        assert path.read_text().startswith(f"# {path.name.removesuffix('.md')}\n")
        read_model(path.with_suffix(""))


def test_a_second_model_replaces_the_first_only_with_force(run, photos, tmp_path):
    out = tmp_path / "m.safetensors"
    call("sample", photos, "--from", run, "--out", out)
    first = out.read_bytes()
    call("sample", photos, "--from", run, "--out", out, "--classes", "plum,pear,apple", code=1)
    assert out.read_bytes() == first
    call("sample", photos, "--from", run, "--out", out, "--classes", "plum,pear,apple", "--force")
    assert read_tensors(out)[1]["classes"] == ["plum", "pear", "apple"]
    assert "distinguishes plum, pear, apple" in (tmp_path / "m.safetensors.md").read_text()


def test_a_file_that_appears_meanwhile_is_kept(run, photos, tmp_path, monkeypatch):
    """As when two calls write to one default name at the same time."""
    from wsl.sampling import user_classes as module

    def slow(*arguments):
        (tmp_path / "m.pt").write_text("another call's")
        return embed_user_classes(*arguments)

    embed_user_classes = module.embed_user_classes
    monkeypatch.setattr(module, "embed_user_classes", slow)
    assert "m.pt exists already" in call("sample", photos, "--from", run, "--out", tmp_path / "m.pt", code=1)
    assert (tmp_path / "m.pt").read_text() == "another call's" and not (tmp_path / "m.pt.md").exists()


def test_a_model_of_torch_loads_without_running_code(run, photos, tmp_path):
    for suffix in ("safetensors", "pt"):
        call("sample", photos, "--from", run, "--out", tmp_path / f"m.{suffix}")
    loaded = torch.load(tmp_path / "m.pt", weights_only=True)
    resnet18(2, 3).load_state_dict(loaded, strict=True)
    state, about = read_tensors(tmp_path / "m.safetensors")
    assert loaded.keys() == resnet18(2, 3).state_dict().keys()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())
    assert read_model(tmp_path / "m.pt")[1] == about == json.loads(loaded._metadata["wsl"])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.pt"
    write_model(path, resnet18(2, 3).state_dict(), {"size": 16, "classes": [*"abc"]})
    return path


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("m.pt", "m.pt has the suffix .pt; name a file that ends in .onnx"),
        ("there.onnx", "there.onnx exists already"),
        ("nowhere/m.onnx", "there is no folder"),
    ],
)
def test_an_export_that_cannot_be_written_is_refused_before_work(unused, model, tmp_path, out, message):
    (tmp_path / "there.onnx").write_text("mine")
    assert message in call("export", model, "--out", tmp_path / out, code=1)
    assert [path.name for path in tmp_path.iterdir()] == ["there.onnx"]


def test_an_export_is_next_to_its_model_and_force_never_replaces_the_model(model, tmp_path):
    model.with_suffix(".onnx").write_text("mine")
    assert "exists already" in call("export", model, code=1) and model.with_suffix(".onnx").read_text() == "mine"
    call("export", model, "--force")
    assert model.with_suffix(".onnx").stat().st_size > 1000
    linked = tmp_path / "linked.onnx"
    linked.hardlink_to(model)
    assert "linked.onnx is the model itself" in call("export", model, "--out", linked, "--force", code=1)


def test_a_zoo_is_never_replaced(zoo, tmp_path):
    assert "--force replaces one file" in call("export", zoo.train, "--out", tmp_path / "zoo", "--force", code=2)


def test_the_version_is_that_of_the_package():
    done = subprocess.run(
        [sys.executable, "-c", "from wsl.cli.main import app; app()", "--version"],
        **{"capture_output": True, "text": True, "check": True, "env": {**os.environ, "PYTHONPATH": str(ROOT)}},
    )
    assert done.stdout == "wsl 0.1.0\n" and done.stderr == ""


def test_a_terminal_without_unicode_shows_other_characters(commands, tmp_path):
    """Names that a terminal cannot show must end no command in a traceback."""
    path = tmp_path / "köttbullar.safetensors"
    about = {"classes": ["食", "é", ":cat: 🐈"], "size": 16, "preprocessing": {}}
    write_model(path, resnet18(2, 3).state_dict(), about)
    (tmp_path / "食.md").write_text("食")
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "80"}
    calls = [("inspect", path), ("inspect", path, "--json"), ("inspect", tmp_path / "食.md")]
    done = commands(calls, env, "import torch")
    assert [code for code, _, _ in done] == [0, 0, 1] and not any(b"Traceback" in errors for _, _, errors in done)
    assert all(b"ttbullar" in out for _, out, _ in done[:2]) and b".md is not a file that wsl knows" in done[2][2]
    assert json.loads(done[1][1])["facts"]["classes"] == about["classes"]


def test_a_reader_that_ends_early_ends_the_command_without_an_error(model):
    command = f"{sys.executable} -c 'from wsl.cli.main import app; app()' inspect {model} --json | head -n 1"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "{\n" and done.stderr == ""
