"""`wsl init`."""

import re

import pytest
import yaml
from typer.testing import CliRunner

from wsl.cli.main import app
from wsl.config.schema import load_config
from wsl.launch.places import FIRST
from wsl.launch.planning import plan_runs

ALTERNATIVES = {  # by section and key: what a comment offers
    ("images", "source"): {"name": "imagefolder", "train": "photos/train", "test": "photos/val"},
    ("zoo", "backbone"): {"checkpoint": "torchvision:ResNet18_Weights.IMAGENET1K_V1"},
    ("datasets", "model"): "ViT-B-32-quickgelu",
    ("datasets", "weights"): "openai",
}


def init(folder, code=0):
    done = CliRunner().invoke(app, ["init", str(folder)])
    assert done.exit_code == code, done.output
    return done.output


def test_the_config_can_run_as_it_is_and_the_next_steps_are_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = init("my runs/first").splitlines()
    assert lines[1:] == [
        "    cd 'my runs/first'",
        "    wsl doctor config.yaml    # checks the config and this machine",
        "    wsl run config.yaml",
    ]
    monkeypatch.chdir(tmp_path / "my runs" / "first")
    for configs in (["config.yaml"], []):
        assert [(run.name, run.given) for run in plan_runs(configs, [])] == [("mine", "config.yaml")]


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "config.yaml").write_text("run: old\n")
    assert "config.yaml exists already; name another folder" in " ".join(init(tmp_path, code=1).split())
    assert (tmp_path / "config.yaml").read_text() == "run: old\n"
    init(tmp_path / "config.yaml", code=2)  # a file


@pytest.mark.parametrize(("section", "key"), ALTERNATIVES)
def test_what_the_comments_offer_is_valid(section, key):
    text, value = FIRST.read_text(), ALTERNATIVES[section, key]
    (offered,) = re.findall(rf"^  # ({key}: .*)$", text, re.MULTILINE)
    assert yaml.safe_load(offered) == {key: value}
    config = yaml.safe_load(text)
    config[section][key] = value
    config["zoo"]["architecture"]["width"] = 64 if "checkpoint" in value else 8
    load_config(config)


def test_every_key_has_a_comment():
    lines = FIRST.read_text().splitlines()
    keys = [place for place, line in enumerate(lines) if re.match(r" *\w+:(?! *$)", line)]
    bare = [lines[place] for place in keys if "#" not in lines[place] and "#" not in lines[place - 1]]
    assert all(re.match(r"  (backbone|encoder|weights)", line) for line in bare), bare
