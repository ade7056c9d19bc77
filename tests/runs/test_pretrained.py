"""Pretrained weights of a config: existing files, and files that are fetched."""

import hashlib
from pathlib import Path

import pytest

from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.runs.pretrained import Pretrained

DOWNLOADS = "results/mine/downloads"


def pretrained(datasets=None, **backbone):
    zoo = {"init": "finetuned", "backbone": backbone} if backbone else {}
    return Pretrained(load_config({"run": "mine", "zoo": zoo, "datasets": datasets or {}}))


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """A working directory with a model's own JSON, weights, and a folder of a repository."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "repository").mkdir()
    for name in ("own.json", "own.pt", "repository/open_clip_config.json", "repository/open_clip_model.safetensors"):
        (tmp_path / name).write_text(name)


@pytest.mark.parametrize(
    ("datasets", "model", "weights", "needs"),
    [
        ({}, "wsl-small-rn", None, []),
        ({"model": "own.json", "weights": "own.pt"}, "own.json", "own.pt", ["own.json", "own.pt"]),
        ({"model": "RN50", "weights": "./own.pt"}, "RN50", "./own.pt", ["./own.pt"]),
        (
            {"model": "local-dir:repository"},
            "repository/open_clip_config.json",
            None,
            ["repository/open_clip_config.json", "repository/open_clip_model.safetensors"],
        ),
    ],
)
def test_existing_files_are_used(datasets, model, weights, needs):
    result = pretrained(datasets)
    assert result.clip == {"model": model, "weights": weights} and result.clip_files == needs
    assert result.clip_folder is None and result.fetches() == []


@pytest.mark.parametrize(
    ("datasets", "name", "config"),
    [
        ({"model": "RN50", "weights": "openai"}, "RN50--openai", []),
        ({"model": "own.json", "weights": "of_mine"}, "own.json--of_mine", ["own.json"]),
        ({"model": "hf-hub:me/it"}, "hf-hub-me-it", []),
    ],
)
def test_tags_and_repositories_are_fetched_each_to_its_own_place(datasets, name, config):
    result = pretrained(datasets)
    folder = f"{DOWNLOADS}/{name}"
    assert result.clip == {"model": f"{folder}/open_clip_config.json", "weights": f"{folder}.weights"}
    assert result.clip_files == [folder, f"{folder}.weights"] and result.clip_folder == folder
    assert result.clip_config == config and len(result.fetches()) == 1


def test_checkpoints_are_fetched_where_they_are_named_by_a_library():
    result = pretrained(checkpoint="torchvision:ResNet18_Weights.IMAGENET1K_V1")
    assert result.checkpoint_fetched
    assert result.checkpoint_files == [f"{DOWNLOADS}/torchvision-ResNet18_Weights.IMAGENET1K_V1"]
    result = pretrained(checkpoint="own.pt")
    assert not result.checkpoint_fetched and result.checkpoint_files == ["own.pt"] and result.fetches() == []


@pytest.mark.parametrize(
    "datasets", [{"model": "gone.json", "weights": "tag"}, {"weights": "gone/own.pt"}, {"model": "local-dir:gone"}]
)
def test_a_missing_file_is_named(datasets):
    with pytest.raises(ConfigError, match=r"^datasets: there is no file gone"):
        pretrained(datasets)


def test_a_file_of_another_checksum_is_refused():
    right = hashlib.sha256(b"own.pt").hexdigest()
    pretrained({"weights": "own.pt", "sha256": right.upper()}, checkpoint="own.pt", sha256=right).check()
    with pytest.raises(ConfigError, match=rf"^datasets\.sha256: own\.pt has the checksum {right}.*name another file"):
        pretrained({"weights": "own.pt", "sha256": "0" * 64}).check()
    with pytest.raises(ConfigError, match=r"^zoo\.backbone\.sha256: own\.pt has the checksum"):
        pretrained(checkpoint="own.pt", sha256="0" * 64).check()


def test_what_was_fetched_before_its_checksum_was_named_is_checked_as_well():
    result = pretrained({"model": "RN50", "weights": "openai", "sha256": "0" * 64})
    result.check()  # missing: Snakemake checks it when it is fetched
    path = Path(DOWNLOADS, "RN50--openai.weights")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"other")
    with pytest.raises(ConfigError, match=rf"^datasets\.sha256: {path} has the checksum .* --forcerun {path}`"):
        result.check()
    result.check(fetched_now={str(path)})  # as that command does
