"""`wsl fetch`, and what the other commands do where images are not fetched yet."""

import pytest
from typer.testing import CliRunner

from tests.images.layouts import flowers102
from wsl.cli.main import app
from wsl.errors import ConfigError
from wsl.launch.planning import plan_runs

CONFIG = """run: mine
images: {source: {name: torchvision, dataset: Flowers102, root: flowers}, minimum: 2}
zoo: {members: 20, architecture: {width: 2}}
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(CONFIG)
    (tmp_path / "Snakefile").touch()
    flowers102(tmp_path / "flowers", monkeypatch)
    return tmp_path / "mine.yaml"


def call(*arguments, code=0):
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def test_a_config_is_fetched_before_it_can_be_planned(config):
    before = call("doctor", config, code=1)
    assert "run `wsl fetch` with this config first, or list images.classes" in before
    assert "torchvision:Flowers102 is not indexed yet: a first job fetches missing files into flowers" in before
    assert call("fetch", config) == "torchvision:Flowers102 is here: flowers; 102 classes, 408 images"
    after = call("doctor", config)
    assert "mine: 102 classes" in after and "torchvision:Flowers102 is here: flowers" in after


def test_a_run_fetches_images_whose_classes_are_unknown(config, capsys):
    assert plan_runs([config], [])[0].name == "mine"
    assert capsys.readouterr().out == "Fetching torchvision:Flowers102 into flowers\n"
    plan_runs([config], [])
    assert capsys.readouterr().out == ""


def test_a_missing_package_is_named_with_its_extra(config, monkeypatch):
    config.write_text(CONFIG.replace("{name: torchvision, dataset: Flowers102, root: flowers}", "hf:me/birds"))
    monkeypatch.setattr("wsl.images.fetched.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"hf:me/birds needs the package datasets; pip install '.*\[data\]'"):
        plan_runs([config], [])


def test_a_config_without_names_fetches_nothing(config):
    config.write_text("run: mine\n")
    assert "names no images to fetch" in call("fetch", config)
