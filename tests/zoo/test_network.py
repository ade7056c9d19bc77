"""The network, compared with torchvision's ResNet-18; flat snapshots, compared with state dicts."""

import numpy as np
import pytest
import torch
from torchvision.models import resnet18 as torchvision_resnet18

from tests.networks import resnet18, resnet18_layout
from wsl.zoo.network import flatten, network_for, state_dict


def trained_a_little(network):
    """Move every parameter and buffer away from its initial value."""
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    network(torch.randn(4, 3, 32, 32)).square().sum().backward()
    optimizer.step()
    return network


def test_width_64_is_torchvisions_resnet18():
    torch.manual_seed(0)
    ours = trained_a_little(resnet18(64, 3))
    theirs = torchvision_resnet18(num_classes=3)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours.eval()(images), theirs.eval()(images))
        ours.load_state_dict(torchvision_resnet18(num_classes=3).state_dict(), strict=True)


def test_width_64_starts_as_torchvisions_does():
    torch.manual_seed(5)
    ours = resnet18(64, 3).state_dict()
    torch.manual_seed(5)
    theirs = torchvision_resnet18(num_classes=3).state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("width", [1, 2, 8])
def test_other_widths_scale_every_channel(width):
    ours, theirs = resnet18(width, 3).state_dict(), torchvision_resnet18(num_classes=3).state_dict()
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        scaled = [size * width // 64 if size >= 64 else size for size in value.shape]
        assert list(ours[name].shape) == scaled, name


def test_a_stem_of_3_is_the_one_for_small_images():
    torch.manual_seed(0)
    ours = trained_a_little(network_for(resnet18_layout(64, 3, stem=3)))
    theirs = torchvision_resnet18(num_classes=3)
    theirs.conv1, theirs.maxpool = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False), torch.nn.Identity()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(ours.eval()(images), theirs.eval()(images))


@pytest.mark.parametrize("channels", [1, 3, 16])
@pytest.mark.parametrize("size", [1, 2, 7, 16])
def test_pooling_is_torchs_own(channels, size):
    torch.manual_seed(0)
    images = torch.randn(3, channels, size, size).relu()  # many ties
    gradients = []
    for pool in (resnet18(2, 3).maxpool, torch.nn.MaxPool2d(3, 2, 1)):
        inputs = images.clone().requires_grad_()
        pooled = pool(inputs)
        torch.manual_seed(1)
        pooled.backward(torch.randn_like(pooled))
        gradients.append((pooled.detach(), inputs.grad))
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.equal(ours, theirs) and ours.is_contiguous()


def test_state_dict_is_the_exact_inverse_of_flatten():
    torch.manual_seed(1)
    network, layout = trained_a_little(resnet18(2, 3)), resnet18_layout(2, 3)
    state = network.state_dict()
    weights, counters = flatten(state, layout)
    back = state_dict(weights, layout, counters)
    assert set(back) == set(state)
    for name, value in state.items():
        assert back[name].dtype == value.dtype and torch.equal(back[name], value), name
    resnet18(2, 3).load_state_dict(back, strict=True)


def test_flatten_is_the_exact_inverse_of_state_dict():
    layout = resnet18_layout(2, 3)
    weights = np.random.default_rng(0).normal(size=layout.size).astype(np.float32)
    counters = np.arange(len(layout.counters))
    again, counted = flatten(state_dict(weights, layout, counters), layout)
    assert again.tobytes() == weights.tobytes()
    assert counted.tolist() == counters.tolist()


def test_flat_snapshot_does_not_follow_the_network():
    torch.manual_seed(2)
    network, layout = resnet18(2, 3), resnet18_layout(2, 3)
    vector, _ = flatten(network.state_dict(), layout)
    kept = vector.copy()
    trained_a_little(network)
    assert np.array_equal(vector, kept)
