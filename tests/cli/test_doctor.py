"""`wsl doctor`."""

import importlib.metadata

import pytest
from typer.testing import CliRunner

from wsl.cli.main import app

DIGITS = "run: mine\nimages: {source: digits}\nzoo: {members: 20, width: 2}\n"


def doctor(*arguments, code=0):
    done = CliRunner().invoke(app, ["doctor", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


def test_versions_and_devices_are_those_of_this_machine(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    said = doctor()
    assert f"torch {importlib.metadata.version('torch')}" in said and "no GPU is visible" in said


def test_a_config_that_can_run_is_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(DIGITS)
    said = doctor("mine.yaml")
    assert "10 classes; members: " in said and "Disk: about " in said
    assert "Warning: the 3 held-out tasks of seen classes are 3 distinct sets of classes." in " ".join(said.split())
    assert sum(int(word.split()[0]) for word in said.split("members: ")[1].split(";")[0].split(", ")) == 20


def test_what_would_be_fetched_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = DIGITS.replace("width: 2", "width: 2, init: finetuned, backbone: {checkpoint: timm:resnet18}")
    (tmp_path / "mine.yaml").write_text(text + "datasets: {model: RN50, weights: openai}\n")
    said = " ".join(doctor("mine.yaml").split())
    assert "RN50 openai is not here yet: it needs a network where Snakemake runs" in said
    assert "timm:resnet18 is not here yet" in said and "random network" not in said
    (tmp_path / "results/mine/downloads").mkdir(parents=True)
    (tmp_path / "results/mine/downloads/RN50--openai.weights").touch()
    said = " ".join(doctor("mine.yaml").split())
    assert "RN50 openai has been fetched into results/mine/downloads/RN50--openai.weights" in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DIGITS.replace("width", "widht"), "zoo.widht: unknown key"),
        (
            "run: mine\nimages: {source: imagefolder, train: nowhere, test: nowhere, classes: [a, b, c, d, e, f]}",
            "images.train: there is no",
        ),
        ("images: [", "mine.yaml is no YAML"),
        (DIGITS + "datasets: {weights: ./gone.pt}", "there is no file ./gone.pt"),
        (DIGITS + f"datasets: {{weights: ./mine.yaml, sha256: {'a' * 64}}}", "datasets.sha256: ./mine.yaml has the"),
    ],
)
def test_what_would_stop_a_run_is_said(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(text)
    assert message in doctor("mine.yaml", code=1)
