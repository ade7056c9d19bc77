"""Networks that run as one wide network against networks that run alone."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.func import functional_call

from wsl.zoo import stacked
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.layout import layout_from
from wsl.zoo.network import flatten, network_for, with_batch_statistics
from wsl.zoo.stacked import Networks

ROOT = Path(__file__).parents[2]
CASES = {
    "cnn-small": ({"channels": 1}, 20),
    "cnn-large": ({}, 28),
    "mlp": ({}, 8),
    "resnet18": ({"width": 2}, 8),
}


def made(name, models=5):
    """A layout, flat weights of networks, among them running statistics that are not the initial ones, and images."""
    settings, size = CASES[name]
    layout = ARCHITECTURES[name](**settings).layout(3, size)
    start = torch.from_numpy(flatten(network_for(layout).state_dict(), layout)[0])
    weights = start * (1 + 0.3 * torch.rand(models, layout.size)) + 0.01
    return layout, weights, torch.randn(6, 3, size, size)


def alone(layout, weights, inputs, batch_statistics):
    network = network_for(layout)
    network = with_batch_statistics(network) if batch_statistics else network.eval()
    states = (
        {e.name: vector[e.columns].view(e.shape) for e in layout.entries if not (batch_statistics and e.running)}
        for vector in weights
    )
    return torch.stack([functional_call(network, state, (inputs,)) for state in states])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch_statistics", [True, False])
def test_outputs_and_gradients_are_those_of_single_networks(name, batch_statistics):
    layout, weights, inputs = made(name)
    networks = Networks(layout, batch_statistics=batch_statistics)
    if not batch_statistics:
        with torch.no_grad():
            torch.testing.assert_close(
                networks(weights, inputs), alone(layout, weights, inputs, False), rtol=1e-4, atol=1e-4
            )
    else:
        found, expected = [], []
        for of, results in ((networks, found), (lambda *given: alone(layout, *given, True), expected)):
            given, images = weights.clone().requires_grad_(), inputs.clone().requires_grad_()
            outputs = of(given, images)
            (outputs.sin() * torch.arange(1, 6)[:, None, None]).sum().backward()
            results += [outputs.detach(), given.grad, images.grad]
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * theirs.abs().max().item())
    assert networks.small  # they did run as one


@pytest.mark.parametrize(
    "layer",
    [
        nn.LayerNorm(8 * 8 * 3),  # a layer of another kind
        nn.Sequential(nn.Softmax(1), nn.Linear(192, 192)),  # an operation that mixes the channels of all networks
    ],
)
def test_other_networks_run_one_after_the_other(layer, monkeypatch):
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 192), layer, nn.Linear(192, 3))
    state = network.state_dict()
    layout = layout_from([(name, value.shape) for name, value in state.items()], [], head=["3.weight", "3.bias"])
    monkeypatch.setattr(stacked, "network_for", lambda _layout: network)
    weights = torch.stack([torch.from_numpy(flatten(state, layout)[0])] * 2) * torch.tensor([[1.0], [1.1]])
    inputs = torch.randn(4, 3, 8, 8)
    networks = Networks(layout)
    expected = [
        functional_call(network, {e.name: v[e.columns].view(e.shape) for e in layout.entries}, (inputs,))
        for v in weights
    ]
    torch.testing.assert_close(networks(weights, inputs), torch.stack(expected))
    assert not networks.small


ALONE = """
import torch
from tests.networks import resnet18
from wsl.zoo.stacked_network import StackedNetwork

torch.set_num_threads(1)
joined = StackedNetwork([resnet18(2, 3).train()])
for _ in range(20):
    images = joined.prepared(torch.randn(32, 3, 32, 32))
    joined.logits(images[None], shared=False).square().mean().backward()
"""
CHECKED = "libc_malloc_debug.so.0"  # of glibc: ends a process that wrote past the end of memory


def test_the_last_narrow_network_of_a_stack_writes_to_its_own_memory_alone():
    try:
        ctypes.CDLL(CHECKED)
    except OSError:
        pytest.skip(f"{CHECKED} is not installed here: it comes with glibc 2.34 and later")
    environment = {**os.environ, "LD_PRELOAD": CHECKED, "MALLOC_CHECK_": "3"}
    done = subprocess.run([sys.executable, "-c", ALONE], env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
