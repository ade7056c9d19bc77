"""Grey networks: their layouts, their checkpoints, and descriptions that stay as they were."""

import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torchvision.models import resnet18 as torchvision_resnet18

from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.files.tensors import read_tensors
from wsl.settings.sections import PositiveInt
from wsl.zoo.architectures.base import ARCHITECTURES, Architecture
from wsl.zoo.network import network_for
from wsl.zoo.recognition import recognise
from wsl.zoo.settings import Network
from wsl.zoo.start import import_backbone

SIZE = 16
VIT = {"patch": 8, "width": 8, "depth": 1}


def grey_resnet18():
    network = torchvision_resnet18(num_classes=3)
    network.conv1 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    return network


def theirs(name):
    """An architecture with one input channel, and the same network from torchvision or timm."""
    if name == "resnet18":
        return {"width": 64}, grey_resnet18()
    if name == "vit":
        sizes = {"embed_dim": 8, "depth": 1, "num_heads": 2, "mlp_ratio": 2}
        return VIT, VisionTransformer(img_size=SIZE, patch_size=8, num_classes=3, in_chans=1, **sizes)
    return {"model": "test_efficientnet"}, timm.create_model("test_efficientnet", num_classes=3, in_chans=1)


@pytest.mark.parametrize("name", ["resnet18", "vit", "timm"])
def test_checkpoints_with_one_channel_load_and_the_channels_of_images_are_averaged(name, tmp_path):
    settings, network = theirs(name)
    architecture = ARCHITECTURES[name](**settings, channels=1)
    torch.save(network.state_dict(), tmp_path / "grey.pt")
    section = Network(architecture=architecture, classes=3, size=SIZE)
    import_backbone(tmp_path / "grey.pt", tmp_path / "start.safetensors", section, "grey.pt")
    start = read_tensors(tmp_path / "start.safetensors")[0]
    ours, state = network_for(section.layout).eval(), network.eval().state_dict()
    assert all(torch.equal(start[key], state[key]) for key in state if key not in section.layout.head)
    ours.load_state_dict(state, strict=True)
    images = torch.randn(2, 3, SIZE, SIZE)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), network(images.mean(1, keepdim=True)))
    colour = Network(architecture=ARCHITECTURES[name](**settings), classes=3, size=SIZE)
    with pytest.raises(ConfigError, match=r"but the architecture .* needs"):
        import_backbone(tmp_path / "grey.pt", tmp_path / "other.safetensors", colour, "grey.pt")


def test_a_grey_resnet18_is_recognised():
    state = grey_resnet18().state_dict()
    found = recognise({name: tuple(value.shape) for name, value in state.items() if value.is_floating_point()})
    assert found.architecture == ARCHITECTURES["resnet18"](width=64, channels=1) and found.classes == 3


def test_descriptions_of_colour_networks_are_those_of_earlier_versions():
    known = {
        "resnet18": ({}, {"name": "resnet18", "width": 8, "stem": 7}),
        "timm": ({"model": "a"}, {"name": "timm", "model": "a"}),
        "torchvision": ({"model": "a"}, {"name": "torchvision", "model": "a"}),
        "vit": (
            VIT,
            {"name": "vit", "patch": 8, "width": 8, "depth": 1, "heads": 2, "mlp_ratio": 2.0, "dropout": 0.0},
        ),
    }
    for name, (settings, described) in known.items():
        assert ARCHITECTURES[name](**settings).described() == described
    assert ARCHITECTURES["vit"](channels=1).described()["channels"] == 1


def test_torchvision_refuses_one_channel_with_the_reason():
    raw = {"run": "a", "zoo": {"architecture": {"name": "torchvision", "model": "vgg11", "channels": 1}}}
    with pytest.raises(ConfigError, match=r"architecture\.channels: torchvision builds networks for three channels"):
        load_config(raw)


def test_a_model_that_refuses_the_size_of_images_names_the_smallest():
    torchvision = ARCHITECTURES["torchvision"](model="vgg11")
    with pytest.raises(ConfigError, match="of the usual sizes, 32 is the smallest that it accepts"):
        torchvision.layout(3, 28)


class Filters(Architecture):
    """An architecture whose setting `channels` is not about images."""

    channels: PositiveInt = 1

    def build(self, classes, size):
        layers = [torch.nn.Conv2d(3, self.channels, 1), torch.nn.Flatten()]
        return torch.nn.Sequential(*layers, torch.nn.Linear(self.channels * size**2, classes))


def test_a_setting_of_the_same_name_keeps_its_own_meaning():
    assert Filters().network(2, 8)(torch.zeros(1, 3, 8, 8)).shape == (1, 2)
