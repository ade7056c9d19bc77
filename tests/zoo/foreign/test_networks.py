"""Names and layouts of networks from other programs: equal outputs show that they are the same network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18 as torchvision_resnet18

from tests.networks import resnet18_layout
from wsl.errors import DataError
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.foreign.networks import Hints, as_known, to_vector
from wsl.zoo.layout import layout_from_text, layout_to_text
from wsl.zoo.network import network_for, state_dict
from wsl.zoo.recognition import architecture_of
from wsl.zoo.states import read_state

HERE = Path("here")


@pytest.mark.parametrize("head", ["fc", "linear"])
@pytest.mark.parametrize("wrap", ["", "module.", "_orig_mod.module."])
def test_a_narrow_resnet_with_shortcuts_gives_the_same_outputs(zoos, tmp_path, head, wrap):
    torch.manual_seed(0)
    network = zoos.SlimResNet(4, 5, head)
    network.train()(torch.randn(4, 3, 16, 16))
    torch.save({wrap + name: value for name, value in network.state_dict().items()}, tmp_path / "checkpoints")
    state, layout = as_known(HERE, read_state(tmp_path / "checkpoints").tensors)
    assert layout == resnet18_layout(4, 5, stem=3)
    weights, counters = to_vector(HERE, state, layout)
    ours = network_for(layout).eval()
    ours.load_state_dict(state_dict(weights, layout, counters))
    images = torch.randn(3, 3, 16, 16)
    with torch.no_grad():
        assert torch.allclose(ours(images), network.eval()(images), atol=1e-6)
    assert set(counters) == {1}


def test_torchvisions_own_keeps_its_names_and_may_lack_counters():
    state = torchvision_resnet18(num_classes=7).state_dict()
    floats = {name: value for name, value in reversed(state.items()) if value.is_floating_point()}
    for variant in (state, floats):
        named, layout = as_known(HERE, variant)
        assert layout == resnet18_layout(64, 7)
        weights, counters = to_vector(HERE, named, layout)
        assert not counters.any()
    back = state_dict(weights, layout)
    assert all(torch.equal(back[name], value) for name, value in floats.items())


def test_another_network_keeps_its_own_names_and_order(zoos):
    state = zoos.small_cnn(4).state_dict()
    named, layout = as_known(HERE, state)
    assert list(named) == list(state) == [entry.name for entry in layout.entries]
    assert layout.head == ("module_list.5.weight", "module_list.5.bias") and layout.classes == 4
    weights, _ = to_vector(HERE, named, layout)
    assert np.array_equal(weights, np.concatenate([value.flatten() for value in state.values()]))


@pytest.mark.parametrize(
    ("hints", "head"),
    [
        (Hints(classes=10), "right"),
        (Hints(classes=16), "left"),
        (Hints(outputs=10), "right"),
        (Hints(head="left", classes=16), "left"),
    ],
)
def test_a_head_that_names_and_shapes_do_not_identify_is_requested(hints, head):
    state = nn.ModuleDict({"left": nn.Linear(4, 16), "right": nn.Linear(4, 10)}).state_dict()
    with pytest.raises(DataError, match=r"left \(16 rows\) or right \(10 rows\).*number of classes by --classes"):
        as_known(HERE, state)
    assert as_known(HERE, state, hints)[1].head == (f"{head}.weight", f"{head}.bias")
    with pytest.raises(DataError, match="no linear module is called centre"):
        as_known(HERE, state, Hints(head="centre"))


def test_hyper_parameters_that_contradict_shapes_do_not_identify_the_head():
    state = nn.ModuleDict({"hidden": nn.Linear(4, 16), "classifier": nn.Linear(16, 10)}).state_dict()
    assert as_known(HERE, state, Hints(outputs=10))[1].classes == 10
    assert as_known(HERE, state, Hints(outputs=3))[1].classes == 10  # no module has as many
    with pytest.raises(DataError, match="do not identify it"):
        as_known(HERE, state, Hints(outputs=16))


def test_a_network_of_another_activation_is_not_rebuilt_with_relu(zoos):
    state = zoos.SlimResNet(2, 3).state_dict()
    _, layout = as_known(HERE, state, Hints(activation="elu"))
    assert layout_from_text(layout_to_text(layout)) == layout != resnet18_layout(2, 3, stem=3)
    with pytest.raises(DataError, match="trained with elu, but can only be rebuilt with relu"):
        network_for(layout)


def test_a_resnet_with_gelu_is_rebuilt_with_gelu(zoos, monkeypatch):
    theirs = zoos.SlimResNet(2, 3).eval()
    state, layout = as_known(HERE, theirs.state_dict(), Hints(activation="gelu"))
    ours, plain = network_for(layout_from_text(layout_to_text(layout))), network_for(resnet18_layout(2, 3, stem=3))
    images = torch.randn(3, 3, 16, 16)
    for network in (ours, plain):
        network.eval().load_state_dict(state, strict=False)
    with torch.no_grad():
        assert torch.allclose(plain(images), theirs(images), atol=1e-6)
        monkeypatch.setattr(torch.Tensor, "relu", lambda self: nn.functional.gelu(self))  # what this network calls
        assert torch.allclose(ours(images), theirs(images), atol=1e-6)
        assert not torch.allclose(ours(images), plain(images), atol=1e-3)


@pytest.mark.parametrize("kind", ["cnn-large", "cnn-small", "mlp"])
@pytest.mark.parametrize("activation", [None, "tanh", "elu"])
def test_an_activation_is_claimed_only_if_another_source_gives_it(kind, activation):
    state = network_for(ARCHITECTURES[kind]().layout(4, 28)).state_dict()
    _, layout = as_known(HERE, state, Hints(activation=activation))
    assert architecture_of(layout).name == kind and layout.classes == 4
    assert architecture_of(layout).activation == (activation if activation == "tanh" else None)
    assert layout.activation == (activation or "unknown")
    if activation == "tanh":
        assert any(isinstance(module, nn.Tanh) for module in network_for(layout).modules())
        return
    message = "trained with elu" if activation else r"activation of these networks .* is not known.*model::nlin"
    for same in (layout, layout_from_text(layout_to_text(layout))):
        with pytest.raises(DataError, match=message):
            network_for(same)


@pytest.mark.parametrize("extra", ["fc.weight", "layer1.0.downsample.0.weight"])
def test_a_network_with_further_parameters_is_not_renamed(zoos, extra):
    state = {**zoos.SlimResNet(2, 3, "linear").state_dict(), extra: torch.zeros(2, 2)}
    _, layout = as_known(HERE, state, Hints(classes=3))
    assert layout["linear.weight"].shape == (3, 16)
    with pytest.raises(DataError, match=r"any known architecture.*behaviour loss"):
        network_for(layout)


def test_half_precision_becomes_single(zoos):
    state = {name: value.half() for name, value in zoos.small_cnn().state_dict().items()}
    weights, _ = to_vector(HERE, *as_known(HERE, state))
    assert weights.dtype == np.float32


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_weights_that_are_not_finite_are_named(zoos, value):
    state = {name: tensor.double() for name, tensor in zoos.small_cnn().state_dict().items()}
    state["module_list.4.bias"][2] = value
    with pytest.raises(DataError, match=r"here: module_list\.4\.bias holds NaN or infinity.*--leave-out"):
        to_vector(HERE, *as_known(HERE, state))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"fc.weight": torch.zeros(3, 2), "mask": torch.zeros(4, dtype=torch.bool)}, "here: mask holds torch.bool"),
        (nn.Conv2d(3, 4, 3).state_dict(), "here: no parameter is a matrix"),
    ],
)
def test_other_state_dicts_are_refused(state, message):
    with pytest.raises(DataError, match=message):
        as_known(HERE, state)
