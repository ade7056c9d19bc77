"""Checkpoints from a web site on loopback, against torchvision's and timm's own loading of them."""

import hashlib
import time

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models._registry import _model_pretrained_cfgs as timms
from torchvision.models import ResNet18_Weights, resnet18

from wsl.errors import ConfigError, DataError
from wsl.zoo.fetching import fetch_checkpoint
from wsl.zoo.states import read_state

TORCHVISION, TIMM = "torchvision:ResNet18_Weights.IMAGENET1K_V1", "timm:resnet18.a1_in1k"
WEIGHTS = ResNet18_Weights.IMAGENET1K_V1


@pytest.fixture
def published(site, tmp_path, monkeypatch):
    """A ResNet-18 published as torchvision does, with the first digits of its checksum in its name."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    torch.save(resnet18().state_dict(), tmp_path / "resnet18.pth")
    digits = hashlib.sha256((tmp_path / "resnet18.pth").read_bytes()).hexdigest()[:8]
    path = (tmp_path / "resnet18.pth").rename(site.root / f"resnet18-{digits}.pth")
    monkeypatch.setattr(WEIGHTS.value, "url", f"{site.url}/{path.name}")
    return path


@pytest.fixture
def hub(site):
    """The repository of timm's model on the hub; returns its folder."""
    folder = site.root / "timm" / "resnet18.a1_in1k"
    folder.mkdir(parents=True)
    return folder


def same(state, other):
    return set(state) == set(other) and all(torch.equal(value, other[name]) for name, value in state.items())


def test_torchvisions_weights_are_those_that_it_loads_itself(published, tmp_path):
    fetch_checkpoint(TORCHVISION, tmp_path / "checkpoint")
    assert (tmp_path / "checkpoint").read_bytes() == published.read_bytes()
    assert same(read_state(tmp_path / "checkpoint").tensors, WEIGHTS.get_state_dict(progress=False, check_hash=True))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_timms_weights_are_those_that_it_loads_itself(hub, tmp_path, name):
    (save_file if name.endswith(".safetensors") else torch.save)(resnet18().state_dict(), hub / name)
    fetch_checkpoint(TIMM, tmp_path / "checkpoint")
    assert (tmp_path / "checkpoint").read_bytes() == (hub / name).read_bytes()
    theirs = timm.create_model("resnet18.a1_in1k", pretrained=True).state_dict()
    assert same(read_state(tmp_path / "checkpoint").tensors, theirs)


def test_timms_models_may_have_an_address_instead_of_a_repository(published, tmp_path, monkeypatch):
    monkeypatch.setattr(timms["resnet18.a1_in1k"], "hf_hub_id", None)
    monkeypatch.setattr(timms["resnet18.a1_in1k"], "url", WEIGHTS.url)
    fetch_checkpoint(TIMM, tmp_path / "checkpoint")
    assert same(read_state(tmp_path / "checkpoint").tensors, torch.load(published))
    monkeypatch.setattr(timms["resnet18.a1_in1k"], "url", None)
    with pytest.raises(ConfigError, match="timm has no weights of it"):
        fetch_checkpoint(TIMM, tmp_path / "checkpoint")


def test_a_broken_download_is_named_and_leaves_no_file(published, tmp_path):
    content = bytearray(published.read_bytes())
    content[-1] ^= 1
    published.write_bytes(content)
    with pytest.raises(ConfigError, match=r"ResNet18_Weights\.IMAGENET1K_V1 cannot be fetched \(invalid hash"):
        fetch_checkpoint(TORCHVISION, tmp_path / "folder" / "checkpoint")
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_not_reported_as_a_network_error(published, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/checkpoint cannot be written"):
        fetch_checkpoint(TORCHVISION, tmp_path / "file" / "checkpoint")


@pytest.mark.parametrize("checkpoint", [TORCHVISION, TIMM])
def test_without_a_network_the_message_gives_a_remedy(site, published, tmp_path, monkeypatch, checkpoint):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the hub's five attempts
    site.__exit__()
    with pytest.raises(ConfigError, match=rf"^zoo\.backbone\.checkpoint: {checkpoint} .*elsewhere and name the file"):
        fetch_checkpoint(checkpoint, tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.parametrize("checkpoint", ["torchvision:ResNet18_Weights.NOWHERE", "timm:no-such-model"])
def test_unknown_names_are_refused(tmp_path, checkpoint):
    with pytest.raises(ConfigError, match=rf"^zoo\.backbone\.checkpoint: {checkpoint} cannot be fetched"):
        fetch_checkpoint(checkpoint, tmp_path / "checkpoint")
