"""`wsl doctor`."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wsl.cli.main import app

DIGITS = "run: mine\nimages: {source: digits}\nzoo: {members: 20, architecture: {width: 2}}\n"
ROOT = Path(__file__).parents[2]
Usage = namedtuple("Usage", "total used free")


def doctor(*arguments, code=0):
    done = CliRunner().invoke(app, ["doctor", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


def test_versions_and_devices_are_those_of_this_machine(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    output = doctor()
    assert f"torch {importlib.metadata.version('torch')}" in output and "no GPU is visible" in output


def test_a_config_that_can_run_is_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(DIGITS)
    output = " ".join(doctor("mine.yaml").split())
    assert "mine: 10 classes; members: " in output and "disk needed about " in output
    assert "the 3 held-out tasks of seen classes are 3 distinct sets of classes." in output
    assert sum(int(word) for word in re.findall(r"(\d+) (?:train|validation|test)\b", output)) == 20


def test_each_network_of_a_mixed_zoo_is_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = DIGITS.replace("{width: 2}", "[mlp, {width: 2}]").replace("{source: digits}", "{source: digits, size: 16}")
    (tmp_path / "mine.yaml").write_text(text + "weights: {encoder: {name: sane, latent: 5000}}\n")
    output = " ".join(doctor("mine.yaml").split())
    assert f"mlp {768 * 32 + 32 + 32 * 3 + 3:,} weights, resnet18 11,841 weights" in output
    assert "random network" not in output


def test_missing_downloads_are_reported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = DIGITS.replace("width: 2}", "width: 2}, init: finetuned, backbone: {checkpoint: timm:resnet18}")
    (tmp_path / "mine.yaml").write_text(text + "datasets: {model: RN50, weights: openai}\n")
    output = " ".join(doctor("mine.yaml").split())
    assert "RN50 openai is missing: Snakemake fetches it into" in output
    assert "timm:resnet18 is missing" in output and "random network" not in output
    (tmp_path / "results/mine/downloads").mkdir(parents=True)
    (tmp_path / "results/mine/downloads/RN50--openai.weights").touch()
    output = " ".join(doctor("mine.yaml").split())
    assert "RN50 openai has been fetched into results/mine/downloads/RN50--openai.weights" in output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DIGITS.replace("width", "widht"), "zoo.architecture.widht: unknown key"),
        (
            "run: mine\nimages: {source: {name: imagefolder, train: nowhere, test: nowhere}, classes: [a, b, c, d, e]}",
            "images.source.train: there is no",
        ),
        ("images: [", "mine.yaml, line 1: "),
        (DIGITS + "zoo: {width: 4}\n", "mine.yaml: the key zoo is repeated in lines 3 and 4"),
        ("", "mine.yaml is empty"),
        ("- run", "mine.yaml contains no keys"),
        (DIGITS + "datasets: {weights: ./gone.pt}", "there is no file ./gone.pt"),
        (DIGITS + f"datasets: {{weights: ./mine.yaml, sha256: {'a' * 64}}}", "datasets.sha256: ./mine.yaml has the"),
    ],
)
def test_obstacles_are_reported(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(text)
    assert message in doctor("mine.yaml", code=1)


def test_every_obstacle_to_the_thesis_is_reported_at_once(tmp_path, monkeypatch):
    """Both missing folders, and a disk too small for the zoo alone: 1,000 members of two snapshots of a ResNet-18."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, 50 * 10**9))
    output = doctor(ROOT / "config" / "thesis.yaml", code=1)
    obstacles = [line for line in output.splitlines() if line.startswith("obstacle: ")]
    for part in ("no folder data/imagenet/train", "no folder data/imagenet/val", "disk is too small"):
        assert sum(part in line for line in obstacles) == 1, (part, obstacles)
    assert len(obstacles) == 3 and "about 91 GB" in obstacles[2] and "50 GB free" in obstacles[2]
    assert "images are not counted, since data/imagenet/train is missing" in obstacles[2]


def test_faults_that_hide_the_plan_hide_no_others(tmp_path, monkeypatch):
    """Without the folders there are no classes, so no plan; the rest of the config is still checked."""
    monkeypatch.chdir(tmp_path)
    images = "images: {source: {name: imagefolder, train: nowhere, test: neither}}\ndatasets: {weights: ./gone.pt}"
    (tmp_path / "mine.yaml").write_text(f"run: mine\n{images}\n")
    output = doctor("mine.yaml", code=1)
    obstacles = [line for line in output.splitlines() if line.startswith("obstacle: ")]
    assert len(obstacles) == 3
    missing = ("images.source.train: there is no folder nowhere", "images.source.test: there is no folder neither")
    for part in (*missing, "./gone.pt"):
        assert sum(part in line for line in obstacles) == 1, (part, obstacles)


def test_json_is_one_document_with_the_same_findings(tmp_path):
    """From a process of its own: standard output holds the document alone, standard error the obstacles."""
    (tmp_path / "mine.yaml").write_text(DIGITS + "datasets: {weights: ./gone.pt}\n")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", "from wsl.cli.main import app; app()", "doctor", "mine.yaml", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert report["packages"]["torch"] == importlib.metadata.version("torch") and report["devices"] == []
    assert len(report["obstacles"]) == 1 and "there is no file ./gone.pt" in report["obstacles"][0]
    assert f"obstacle: {report['obstacles'][0]}" in done.stderr
    (tmp_path / "mine.yaml").write_text(DIGITS)
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    about = json.loads(done.stdout)["config"]
    assert done.returncode == 0 and sum(about["members"].values()) == 20 and about["classes"] == 10
    assert about["disk"]["enough"] and about["disk"]["needed_bytes"]["zoo"] > 20 * about["numbers_per_snapshot"] * 4


def test_it_fits_80_columns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(DIGITS + "datasets: {model: RN50, weights: openai}\n")
    done = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["doctor", "mine.yaml"])
    assert done.exit_code == 0 and max(map(len, done.stdout.splitlines())) <= 80 and "…" not in done.stdout


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"- a\n- b\n", b""])
def test_a_file_that_is_not_a_config_is_an_obstacle(tmp_path, content):
    (tmp_path / "mine.yaml").write_bytes(content)
    assert "obstacle: " in doctor(tmp_path / "mine.yaml", code=1)
