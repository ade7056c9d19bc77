"""The networks of the model-zoo papers and MLPs, against networks that are written here by the papers' descriptions."""

import math

import pytest
import torch
from torch import nn

from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.runs.run import Run
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.architectures.cnn_large import CnnLarge
from wsl.zoo.architectures.cnn_small import CnnSmall
from wsl.zoo.architectures.mlp import Mlp
from wsl.zoo.network import network_for
from wsl.zoo.recognition import recognise

MODULES = {
    "leakyrelu": nn.LeakyReLU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
}


class Theirs(nn.Module):
    """Modules in a list, applied in order."""

    def __init__(self, *modules: nn.Module):
        super().__init__()
        self.module_list = nn.ModuleList(modules)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.Sequential(*self.module_list)(images)


def dropout(rate: float) -> list[nn.Module]:
    return [nn.Dropout(rate)] if rate else []


def small(channels: int, act=nn.LeakyReLU, drop: float = 0.0, filters=(8, 6, 4)) -> nn.Module:
    """The small network, for 28 pixels: dropout is listed only if there is any."""
    a, b, c = filters
    first = [nn.Conv2d(channels, a, 5), nn.MaxPool2d(2, 2), act(), *dropout(drop)]
    second = [nn.Conv2d(a, b, 5), nn.MaxPool2d(2, 2), act(), *dropout(drop), nn.Conv2d(b, c, 2), act(), nn.Flatten()]
    return Theirs(*first, *second, nn.Linear(9 * c, 20), act(), *dropout(drop), nn.Linear(20, 10))


def large(channels: int, act=nn.LeakyReLU, drop: float = 0.0) -> nn.Module:
    """The large network, for 32 pixels: dropout is always listed."""
    blocks = []
    for inputs, outputs in ((channels, 16), (16, 32), (32, 15)):
        blocks += [nn.Conv2d(inputs, outputs, 3), nn.MaxPool2d(2, 2), act(), nn.Dropout(drop)]
    return Theirs(*blocks, nn.Flatten(), nn.Linear(60, 20), act(), nn.Dropout(drop), nn.Linear(20, 10))


def shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def same_outputs(architecture, theirs, size, images):
    """Whether our network with their weights, loaded strictly, has the outputs of theirs on their images."""
    ours = network_for(architecture.layout(10, size)).eval()
    ours.load_state_dict(theirs.eval().state_dict(), strict=True)
    with torch.no_grad():
        return torch.allclose(ours(images), theirs(images), atol=1e-6)


@pytest.mark.parametrize(("channels", "count"), [(1, 2464), (3, 2864)])
def test_the_small_network_has_the_published_number_of_weights(channels, count):
    assert CnnSmall(channels=channels).layout(10, 28).size == count


@pytest.mark.parametrize(("channels", "count"), [(1, 10565), (3, 10853)])
def test_the_large_network_has_the_published_number_of_weights(channels, count):
    assert CnnLarge(channels=channels).layout(10, 32).size == count


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("drop", [0.0, 0.2])
@pytest.mark.parametrize("name", MODULES)
def test_their_weights_load_strictly_and_give_equal_outputs(name, drop, channels):
    settings = {"activation": name, "dropout": drop, "channels": channels}
    act = MODULES[name]
    for size, architecture, theirs in (
        (28, CnnSmall(**settings), small(channels, act, drop)),
        (28, CnnSmall(**settings, filters=[6, 9, 6]), small(channels, act, drop, (6, 9, 6))),
        (32, CnnLarge(**settings), large(channels, act, drop)),
    ):
        assert same_outputs(architecture, theirs, size, torch.randn(3, channels, size, size))
        rates = [module.p for module in network_for(architecture.layout(10, size)).modules() if _drops(module)]
        assert rates == [module.p for module in theirs.modules() if _drops(module)]


def _drops(module):
    return isinstance(module, nn.Dropout)


@pytest.mark.parametrize("drop", [0.0, 0.5])
def test_an_mlp_is_the_published_one_on_flat_pixels(drop):
    first = [nn.Linear(3 * 64, 30), nn.Tanh(), *dropout(drop)]
    theirs = Theirs(*first, nn.Linear(30, 15), nn.Tanh(), *dropout(drop), nn.Linear(15, 10))
    architecture = Mlp(widths=[30, 15], activation="tanh", dropout=drop)
    ours, images = network_for(architecture.layout(10, 8)).eval(), torch.randn(3, 3, 8, 8)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.allclose(ours(images), theirs.eval()(images.flatten(1)), atol=1e-6)
    found = recognise(shapes(theirs), {"activation": "tanh", "dropout": 0.5})
    assert (found.classes, found.size) == (10, 8)
    expected = {"widths": [30, 15], "channels": 3, "activation": "tanh", "dropout": drop, "initialisation": None}
    assert found.architecture.model_dump() == expected


@pytest.mark.parametrize("architecture", [CnnSmall(channels=1), CnnLarge(channels=1), Mlp(channels=1)], ids=str)
def test_one_channel_is_the_mean_of_three(architecture):
    network, images = network_for(architecture.layout(4, 28)).eval(), torch.randn(2, 3, 28, 28)
    with torch.no_grad():
        assert torch.allclose(network(images), network(images.mean(1, keepdim=True)), atol=1e-6)


@pytest.mark.parametrize("size", [22, 25, 28, 31, 48, 64, 224])
def test_other_sizes_change_only_the_first_linear_layer(size):
    for architecture, usual in ((CnnSmall(), 28), (CnnLarge(), 32)):
        convolutions = [part for part in architecture.build(5, size).module_list if not isinstance(part, nn.Linear)]
        with torch.no_grad():
            features = nn.Sequential(*convolutions[: [type(m) for m in convolutions].index(nn.Flatten) + 1])(
                torch.zeros(1, 3, size, size)
            ).shape[1]
        layout, published = architecture.layout(5, size), architecture.layout(5, usual)
        differs = [one for one, other in zip(layout.entries, published.entries, strict=True) if one[:2] != other[:2]]
        assert [entry.shape for entry in differs] in ([], [(20, features)])
        assert layout.image_size == size


@pytest.mark.parametrize(("name", "least"), [("cnn-small", 20), ("cnn-large", 22)])
def test_images_that_are_too_small_are_refused_before_any_job(name, least):
    message = f"{name} needs images of at least {least} pixels, but they have {least - 1}; set images.size"
    with pytest.raises(ConfigError, match=message):
        ARCHITECTURES[name]().check(least - 1)
    raw = {"run": "a", "images": {"size": least - 1}, "weights": {"align": False}}
    with pytest.raises(ConfigError, match=message):
        Run({**raw, "zoo": {"architecture": name}})
    ARCHITECTURES[name]().check(least)
    with torch.no_grad():
        network = ARCHITECTURES[name]().build(2, least).train()
        assert network(torch.randn(2, 3, least, least)).shape == (2, 2)


def test_an_activation_that_is_not_known_is_not_for_new_zoos():
    config = load_config({"run": "a", "zoo": {"architecture": {"name": "cnn-large", "activation": None}}})
    with pytest.raises(ConfigError, match=r"zoo\.architecture\.activation: not given"):
        config.zoo.architecture.check(32)


@pytest.mark.parametrize("kind", ["uniform", "normal", "xavier_uniform", "xavier_normal", "kaiming_uniform", None])
def test_initial_weights_have_the_distribution_of_torch(kind):
    for architecture, size in ((CnnLarge(initialisation=kind), 32), (Mlp(widths=[300], initialisation=kind), 8)):
        network = network_for(architecture.layout(10, size))
        for layer in (part for part in network.module_list if hasattr(part, "weight")):
            if kind is None:
                assert layer.bias.std() > 0
                continue
            assert torch.equal(layer.bias, torch.full_like(layer.bias, 0.01))
            drawn = getattr(nn.init, f"{kind}_")(torch.empty(layer.weight.shape))
            if drawn.numel() > 1000:
                assert layer.weight.std().item() == pytest.approx(drawn.std().item(), rel=0.1)
                assert layer.weight.mean().item() == pytest.approx(drawn.mean().item(), abs=0.1 * drawn.std().item())


def test_kaiming_normal_weights_have_the_published_deviation():
    layer = network_for(Mlp(widths=[300], initialisation="kaiming_normal").layout(10, 8)).module_list[0]
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / (3 * 64)), rel=0.05)  # He et al. 2015


def test_equal_seeds_give_equal_weights():
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(network_for(CnnSmall().layout(10, 28)).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("drop", [0.0, 0.2])
@pytest.mark.parametrize("channels", [1, 3])
def test_names_and_shapes_give_what_they_can(drop, channels):
    found = recognise(shapes(small(channels, drop=drop)))
    assert (found.architecture.name, found.classes, found.size) == ("cnn-small", 10, 28)
    dump = found.architecture.model_dump()
    visible = None if drop else 0.0  # numbers in names show whether there is dropout, not its rate
    assert (dump["channels"], dump["filters"], dump["dropout"]) == (channels, [8, 6, 4], visible)
    assert dump["activation"] is dump["initialisation"] is None
    assert found.layout.activation == "unknown" and found.architecture.columns()["activation"] == "unknown"
    found = recognise(shapes(large(channels, drop=drop)))
    assert (found.architecture.name, found.classes, found.size) == ("cnn-large", 10, 32)
    assert found.architecture.dropout is found.architecture.activation is None


def test_other_sources_add_only_what_agrees_with_the_names():
    known = {"activation": "silu", "dropout": 0.3, "initialisation": "orthogonal", "filters": [1, 2, 3]}
    dump = recognise(shapes(small(3)), known).architecture.model_dump()
    assert (dump["activation"], dump["dropout"], dump["initialisation"]) == ("silu", 0.0, None)
    assert dump["filters"] == [8, 6, 4]
    assert recognise(shapes(small(3, drop=0.1)), known).architecture.dropout == 0.3
    assert recognise(shapes(small(3)), {"activation": "elu"}).architecture.activation is None


@pytest.mark.parametrize(
    "change",
    [
        {"module_list.0.weight": (8, 2, 5, 5)},
        {"module_list.0.weight": (8, 3, 7, 7)},
        {"module_list.10.weight": (20, 40)},
        {"module_list.13.weight": (3,)},
    ],
)
def test_similar_networks_are_not_recognised(change):
    assert recognise(shapes(small(3)))
    assert recognise({**shapes(small(3)), **change}) is None
