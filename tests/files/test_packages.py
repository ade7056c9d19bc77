"""Weights in installed packages, found by the packages' own lists of files."""

import sys

import pytest

from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.files.packages import package_file
from wsl.runs.pretrained import Pretrained


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package ``some-weights`` with these files, as pip leaves it; its code raises if it runs."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def run(*files):
        about = tmp_path / "some_weights-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: some-weights\nVersion: 1.0\n")
        files = ["some_weights/__init__.py", *files]
        for file in files:
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("raise SystemExit('code of the package ran')")
        (about / "RECORD").write_text("".join(f"{file},,\n" for file in files))

    return run


def test_a_backbone_starts_from_a_package(install, tmp_path):
    install("some_weights/net.pth")
    zoo = {"init": "finetuned", "backbone": {"checkpoint": "pip:some-weights"}}
    pretrained = Pretrained(load_config({"run": "test", "zoo": zoo}))
    assert pretrained.checkpoint_files == [str(tmp_path / "some_weights/net.pth")] and not pretrained.checkpoint_fetched


@pytest.mark.parametrize("name", ["pip:some-weights", "pip:some_weights", "pip:some-weights/net.pth"])
def test_the_only_file_of_weights_is_found(install, tmp_path, name):
    install("some_weights/models/net.pth", "some_weights/README.md")
    assert package_file(name, "key") == tmp_path / "some_weights/models/net.pth"


def test_one_of_several_files_must_be_named(install, tmp_path):
    install("some_weights/a/net.pth", "some_weights/b/net.pth", "some_weights/c.safetensors")
    with pytest.raises(ConfigError, match=r"^key: pip:some-weights has several .*/a/net\.pth, .*pip:some-weights/FILE"):
        package_file("pip:some-weights", "key")
    with pytest.raises(ConfigError, match="several files"):
        package_file("pip:some-weights/net.pth", "key")
    assert package_file("pip:some-weights/b/net.pth", "key") == tmp_path / "some_weights/b/net.pth"
    with pytest.raises(ConfigError, match=r"has no such file.*; its files of weights: some_weights/a/net\.pth"):
        package_file("pip:some-weights/other.pth", "key")


def test_a_package_without_weights_or_not_installed_is_named(install):
    install("some_weights/net.onnx")
    with pytest.raises(ConfigError, match=r"^key: the package some-weights has no files of weights \(\.pth"):
        package_file("pip:some-weights", "key")
    with pytest.raises(ConfigError, match=r"^key: the package no-such-weights is not installed.*pip install no-such-w"):
        package_file("pip:no-such-weights", "key")
