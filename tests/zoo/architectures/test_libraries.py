"""Networks of timm and torchvision: the libraries' own names and shapes, and refusals before any job."""

import os
import re
import subprocess
import sys

import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torchvision import models

from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.runs.run import Run
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.architectures.timm import Timm
from wsl.zoo.architectures.torchvision import Torchvision
from wsl.zoo.architectures.vit import Vit
from wsl.zoo.network import features_and_logits, network_for

SIZE = 32


def named(network):
    state = network.state_dict()
    return [(name, tuple(value.shape)) for name, value in state.items() if value.is_floating_point()]


def agrees(architecture, network, size=SIZE):
    """Whether a layout and a network have the same parameters, and equal weights give equal outputs."""
    layout, images = architecture.layout(3, size), torch.randn(2, 3, size, size)
    ours = network_for(layout).eval()
    ours.load_state_dict(network.eval().state_dict(), strict=True)
    with torch.no_grad():
        features, logits = features_and_logits(ours, images)
        weight, bias = (ours.state_dict()[name] for name in layout.head)
        assert torch.allclose(features.reshape(2, -1) @ weight.T + bias, logits, atol=1e-4)
        assert torch.equal(logits, network(images))
    return named(network) == [(entry.name, entry.shape) for entry in layout.entries] and layout.classes == 3


@pytest.mark.parametrize("model", ["resnet10t", "mobilenetv3_small_050", "efficientnet_lite0", "convnext_atto"])
def test_timm_models_have_timms_parameters(model):
    assert agrees(Timm(model=model), timm.create_model(model, num_classes=3))


@pytest.mark.parametrize("model", ["vit_tiny_patch16_224", "mixer_s16_224"])
def test_timm_models_of_fixed_size_are_built_for_the_images(model):
    assert agrees(Timm(model=model), timm.create_model(model, num_classes=3, img_size=SIZE))


@pytest.mark.parametrize("model", ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "regnet_y_400mf"])
def test_torchvision_models_have_torchvisions_parameters(model):
    assert agrees(Torchvision(model=model), models.get_model(model, weights=None, num_classes=3))


def test_a_torchvision_transformer_is_built_for_the_images():
    network = models.get_model("vit_b_32", weights=None, num_classes=3, image_size=SIZE)
    layout = Torchvision(model="vit_b_32").layout(3, SIZE)
    assert named(network) == [(entry.name, entry.shape) for entry in layout.entries]


@pytest.mark.parametrize(("size", "patch"), [(8, 2), (12, 4), (28, 7), (32, 8), (224, 16)])
def test_a_vit_is_timms_at_any_image_and_patch_size(size, patch):
    sizes = {"embed_dim": 12, "depth": 2, "num_heads": 3, "mlp_ratio": 1.5}
    network = VisionTransformer(img_size=size, patch_size=patch, num_classes=3, **sizes)
    assert agrees(Vit(patch=patch, width=12, depth=2, heads=3, mlp_ratio=1.5), network, size)


def test_a_vit_is_refused_if_patches_or_heads_do_not_fit():
    raw = {"run": "a", "images": {"size": 30}, "weights": {"align": False}, "zoo": {"architecture": "vit"}}
    with pytest.raises(ConfigError, match=r"zoo\.architecture\.patch: images of 30 pixels cannot be cut into patches"):
        Run(raw)
    with pytest.raises(ConfigError, match="width: 32 is not a multiple of heads, 5"):
        load_config({"run": "a", "zoo": {"architecture": {"name": "vit", "heads": 5}}})


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("timm:resnet10x", "timm has no classifier 'resnet10x'; did you mean resnet10t"),
        ("torchvision:resnet19", "torchvision has no classifier 'resnet19'; did you mean resnet1"),
        ("torchvision:raft_small", "torchvision has no classifier 'raft_small'"),
        ("timm:hf-hub:someone/something", "timm has no classifier 'hf-hub:someone/something'"),
        ("timm:swin_tiny_patch4_window7_224", None),
        ("timm:crossvit_tiny_240", "crossvit_tiny_240 does not accept images of 32 pixels"),
        ("torchvision:inception_v3", "inception_v3 does not accept images of 32 pixels.*images.size"),
        ("timm:resnetv2_50", "resnetv2_50 are not the outputs of one linear layer"),  # a convolution
        ("timm:deit_tiny_distilled_patch16_224", "are not the outputs of one linear layer"),  # two heads
        ("torchvision:squeezenet1_1", "are not the outputs of one linear layer"),
    ],
)
def test_models_that_cannot_be_members_are_refused_by_name(architecture, message):
    settings = load_config({"run": "a", "zoo": {"architecture": architecture}}).zoo.architecture
    if message is None:
        assert settings.layout(3, SIZE).classes == 3
        return
    with pytest.raises(ConfigError, match=message):
        settings.layout(3, SIZE)


def test_a_run_reports_a_model_that_is_unknown_with_its_other_faults():
    raw = {"run": "a", "zoo": {"architecture": "timm:resnet10x", "classes_per_task": 99}}
    with pytest.raises(ConfigError, match=r"(?s)did you mean resnet10t.*"):
        Run(raw)


def test_building_a_layout_draws_no_random_numbers():
    before = torch.get_rng_state()
    for architecture in (Torchvision(model="regnet_x_400mf"), Timm(model="resnet10t"), Vit()):
        architecture._built_layout(5, SIZE)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("short", ["cnn-small", "vit", "timm:resnet10t"])
def test_a_second_start_imports_neither_torch_nor_the_library(short, tmp_path):
    code = (
        "import sys; from wsl.config.schema import load_config;"
        f"architecture = load_config({{'run': 'a', 'zoo': {{'architecture': '{short}'}}}}).zoo.architecture;"
        "architecture.check(32);"
        "print(architecture.layout(3, 32).size, *({'torch', 'timm', 'torchvision'} & set(sys.modules)))"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    call = [sys.executable, "-c", code]
    answers = [subprocess.run(call, capture_output=True, text=True, check=True, env=environment) for _ in range(2)]
    first, second = (answer.stdout.split() for answer in answers)
    name, _, model = short.partition(":")
    settings = {"model": model} if model else {}
    assert first[0] == str(ARCHITECTURES[name](**settings).layout(3, 32).size) and "torch" in first
    assert second == first[:1]


def test_the_short_form_is_in_the_reference():
    from wsl.config.reference import reference

    row = next(line for line in reference().splitlines() if re.match(r"\| `architecture` \|", line))
    assert "`timm` or `timm:<model>`" in row and "`resnet18`," in row
