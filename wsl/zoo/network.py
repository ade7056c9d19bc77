"""Build networks from layouts, and convert flat snapshots to and from state dicts."""

import numpy as np
import torch
from torch import nn

from wsl.errors import DataError
from wsl.zoo.layout import Layout
from wsl.zoo.recognition import architecture_of, running_fault

State = dict[str, torch.Tensor]  # a state dict, or a part of one


def network_for(layout: Layout) -> nn.Module:
    """Return a freshly initialised network with this layout; it has the attributes ``architecture`` and
    ``normalisation``.

    Raises:
        DataError: its architecture is unknown, or it was trained with another activation.
    """
    if fault := running_fault(layout):
        raise DataError(fault)
    architecture = architecture_of(layout)
    network = architecture.network(layout.classes, layout.image_size)
    network.architecture, network.normalisation = architecture, layout.normalisation
    architecture.complete(network, layout)
    return network


def with_classes(layout: Layout, classes: int) -> Layout:
    """Return the layout of the same network with another number of outputs."""
    other = architecture_of(layout).layout(classes, layout.image_size)
    return other._replace(normalisation=layout.normalisation, frozen=layout.frozen)


def features_and_logits(network: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the inputs of the head (n, features) and logits (n, classes) of a network of ``network_for``.

    Images (n, 3, size, size) are normalised.
    """
    return network.architecture.features_and_logits(network, images)


def with_head(state: State, layout: Layout, weight: torch.Tensor, bias: torch.Tensor) -> State:
    """Return a state dict with another linear head: ``weight`` (classes, features) and ``bias`` (classes,).

    Raises:
        DataError: heads of these networks have no bias.
    """
    if len(layout.head) != 2:
        raise DataError("the head of these networks has no bias; only heads with weight and bias can be replaced")
    return {**state, **dict(zip(layout.head, (weight, bias), strict=True))}


def with_zero_head(state: State, layout: Layout) -> State:
    """Return a state dict with a head of zeros, which gives every image the same logits.

    ``layout`` is that of the network with the new head.
    """
    return {**state, **{name: torch.zeros(layout[name].shape) for name in layout.head}}


def flatten(state: State, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Return a state dict as a float32 vector (n_weights,) and its integer buffers (n_counters,)."""
    weights = torch.cat([state[entry.name].detach().reshape(-1).float().cpu() for entry in layout.entries])
    counters = [int(state[name]) for name in layout.counters]
    return weights.numpy(), np.array(counters, dtype=np.int64)


def state_dict(weights: np.ndarray, layout: Layout, counters: np.ndarray | None = None) -> State:
    """Return the state dict of a flat snapshot: the inverse of ``flatten``.

    Without ``counters`` they are 0: they do not change any output, and change training only if momentum is None.
    """
    counters = [0] * len(layout.counters) if counters is None else counters
    state = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in layout.split(weights).items()}
    return state | {name: torch.tensor(int(count)) for name, count in zip(layout.counters, counters, strict=True)}


def whole_state(weights: np.ndarray, layout: Layout, counters: np.ndarray | None = None) -> State:
    """Return the state dict of the complete network of a flat snapshot, with frozen weights, see ``state_dict``."""
    if layout.frozen is None:
        return state_dict(weights, layout, counters)
    return architecture_of(layout).merged(weights, layout)


def learned_state(weights: torch.Tensor, layout: Layout) -> State:
    """Return views of flat weights (n_weights,), shaped, by name, without running statistics."""
    entries = (entry for entry in layout.entries if not entry.running)
    return {entry.name: weights[entry.columns].view(entry.shape) for entry in entries}


def batch_norms(network: nn.Module) -> list[nn.Module]:
    """Return the layers of batch normalisation that have running statistics, except frozen ones."""
    layers = (module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm))
    learned = (layer for layer in layers if "running_mean" not in layer._non_persistent_buffers_set)
    return [layer for layer in learned if layer.running_mean is not None]


def with_batch_statistics(network: nn.Module) -> nn.Module:
    """Return the network, set to normalise by the statistics of each batch; no layer draws random numbers."""
    network.eval()
    for layer in batch_norms(network):
        layer.train()
    return network


class FlatNetwork:
    """A network in evaluation mode whose parameters and running statistics are views of one flat vector.

    Loading a state dict by name takes longer than a forward pass of a small network.
    """

    def __init__(self, layout: Layout, device: str = "cpu"):
        self.network = network_for(layout).to(device).eval()
        self.weights = torch.empty(layout.size, device=device)  # (n_weights,)
        state = self.network.state_dict(keep_vars=True)
        for entry in layout.entries:
            state[entry.name].data = self.weights[entry.columns].view(entry.shape)

    def load(self, weights: np.ndarray) -> nn.Module:
        """Return the network with these flat weights (n_weights,)."""
        self.weights.copy_(torch.from_numpy(weights))
        return self.network
