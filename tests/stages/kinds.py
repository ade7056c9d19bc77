"""The architectures that all stages are run on, at their smallest, and the sizes of images that they are built for."""

from contextlib import suppress
from pathlib import Path

import timm
import torch
from torchvision import models
from torchvision.models._api import register_model

from tests.stages.outcome import Outcome, refused
from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.settings.registry import load_plugins

TESTS = Path(__file__).parents[1]
PLUGINS = [str(TESTS / name) for name in ("plugins/toy_architecture.py", "stages/toy_linear.py")]
# By column of the page: the value of `zoo.architecture`.
KINDS = {
    "resnet18": {"name": "resnet18", "width": 2, "activation": "silu"},
    "cnn-small": {"name": "cnn-small", "channels": 1, "activation": "tanh"},
    "cnn-large": {"name": "cnn-large", "filters": [6, 8, 5], "activation": "gelu", "dropout": 0.1},
    "mlp": {"name": "mlp", "widths": [6, 5], "channels": 1},
    "vit": {"name": "vit", "patch": 8, "width": 8},
    "timm": "timm:small_efficientnet",
    "torchvision": "torchvision:small_shufflenet",
    "plug-in": {"name": "toy-mlp"},
    "plug-in without bias": {"name": "toy-linear"},
}
SIZES = (8, 28, 32, 64, 224)


def register_plugins() -> None:
    """Register the plug-ins of ``KINDS``, and its models of timm and torchvision."""
    load_plugins(PLUGINS)
    if not timm.is_model("small_efficientnet"):
        timm.models.register_model(small_efficientnet)
    if "small_shufflenet" not in models.list_models():
        register_model()(small_shufflenet)


def small_efficientnet(**settings) -> torch.nn.Module:
    """Return timm's EfficientNet for tests with a quarter of its channels, and so an eighth of its weights."""
    return timm.create_model("test_efficientnet", channel_multiplier=0.25, **settings)


def small_shufflenet(weights: None = None, **settings) -> models.ShuffleNetV2:
    """Return torchvision's ShuffleNetV2 with few channels: its own models have 50 times as many weights."""
    return models.ShuffleNetV2([1, 1, 1], [8, 8, 16, 24, 16], **settings)


small_shufflenet.__module__ = "torchvision.models.shufflenetv2"  # as those that `torchvision.models` exports


def config_of(kind) -> dict:
    """Return the smallest config with an architecture."""
    return {"run": "a", "plugins": PLUGINS, "images": {"size": 24}, "zoo": {"architecture": kind}}


def built(kind, size: int) -> Outcome | None:
    """Build an architecture for images of a size, and run it without memory."""
    architecture = load_config(config_of(kind)).zoo.architecture
    with suppress(ConfigError):
        architecture.check(size)
        layout = architecture.layout(3, size)
        with torch.device("meta"), torch.no_grad():
            assert architecture.network(3, layout.image_size)(torch.empty(2, 3, size, size)).shape == (2, 3)
        return None
    outcome = refused("images", architecture.check, size)
    assert "at least" in outcome.remark or "multiple of" in outcome.remark
    return outcome


def accepted_channels(kind) -> Outcome | None:
    """Build an architecture for grey images: it has fewer weights, and averages the channels of images."""
    settings = {"name": kind, "channels": 1} if isinstance(kind, str) else {**kind, "channels": 1}
    if isinstance(kind, str):
        name, _, model = kind.partition(":")
        settings = {"name": name, "model": model, "channels": 1}
    with suppress(ConfigError):
        grey = load_config(config_of(settings)).zoo.architecture
        colour = grey.model_copy(update={"channels": 3})
        assert grey.layout(3, 24).size < colour.layout(3, 24).size
        network, images = grey.network(3, 24).eval(), torch.randn(2, 3, 24, 24)
        with torch.no_grad():
            assert torch.allclose(network(images), network(images.mean(1, keepdim=True)), atol=1e-5)
        return None
    return refused("channels", load_config, config_of(settings))
