"""Networks from layouts, and flat snapshots to and from state dicts."""

import numpy as np
import torch
from torch import nn

from wsl.errors import DataError
from wsl.zoo.architectures.base import UNKNOWN
from wsl.zoo.layout import Layout
from wsl.zoo.recognition import architecture_of


def network_for(layout: Layout) -> nn.Module:
    """Return a freshly initialised network whose state dict has this layout; its ``architecture`` is an attribute.

    Raises:
        DataError: its architecture is not known, or it was trained with another activation.
    """
    architecture = architecture_of(layout)
    if architecture.nonlinearity == UNKNOWN and (layout.activation == UNKNOWN or not layout.architecture):
        raise DataError(
            f"the activation of these networks ({architecture.name}) is not known, so they cannot be run; add it to "
            "the zoo (`model::nlin` in params.json, or a column `activation` of a CSV) and import the zoo again"
        )
    if layout.activation != architecture.nonlinearity:
        possible = "other activations" if architecture.nonlinearity == UNKNOWN else architecture.nonlinearity
        raise DataError(
            f"these networks ({architecture.name}) were trained with {layout.activation}, but can only be rebuilt with "
            f"{possible}; fit the stages that run no network: PCA, coefficients, weight encoders without a behaviour "
            "loss"
        )
    network = architecture.build(layout.classes, layout.image_size)
    network.architecture = architecture
    return network


def with_classes(layout: Layout, classes: int) -> Layout:
    """Return the layout of the same network with another number of outputs."""
    return architecture_of(layout).layout(classes, layout.image_size)


def features_and_logits(network: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the head of a network of ``network_for`` reads (n, features), and logits (n, classes).

    Args:
        network: of ``network_for``.
        images: normalised (n, 3, size, size).
    """
    return network.architecture.features_and_logits(network, images)


def with_head(
    state: dict[str, torch.Tensor], layout: Layout, weight: torch.Tensor, bias: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Return a state dict with another linear head.

    Args:
        state: of the network, whatever its head.
        layout: of the network.
        weight: (classes, features).
        bias: (classes,).
    """
    if len(layout.head) != 2:
        raise DataError("the head of these networks has no bias; only heads with weight and bias can be replaced")
    return {**state, **dict(zip(layout.head, (weight, bias), strict=True))}


def with_zero_head(state: dict[str, torch.Tensor], layout: Layout) -> dict[str, torch.Tensor]:
    """Return a state dict whose head gives every image the same logits.

    Args:
        state: of the network, whatever its head.
        layout: of the network with the new head.
    """
    return {**state, **{name: torch.zeros(layout[name].shape) for name in layout.head}}


def flatten(state: dict[str, torch.Tensor], layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Return a state dict as a float32 vector (n_weights,) and its integer buffers (n_counters,)."""
    weights = torch.cat([state[entry.name].detach().reshape(-1).float().cpu() for entry in layout.entries])
    counters = [int(state[name]) for name in layout.counters]
    return weights.numpy(), np.array(counters, dtype=np.int64)


def state_dict(weights: np.ndarray, layout: Layout, counters: np.ndarray | None = None) -> dict[str, torch.Tensor]:
    """Return the state dict of a flat snapshot: the inverse of ``flatten``.

    Without ``counters`` they are 0: they matter to no output, and to training only where momentum is None.
    """
    if counters is None:
        counters = np.zeros(len(layout.counters), dtype=np.int64)
    state = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in layout.split(weights).items()}
    state.update({name: torch.tensor(int(count)) for name, count in zip(layout.counters, counters, strict=True)})
    return state


def learned_state(weights: torch.Tensor, layout: Layout) -> dict[str, torch.Tensor]:
    """Return views of flat weights (n_weights,), shaped, by name, without running statistics."""
    entries = (entry for entry in layout.entries if not entry.running)
    return {entry.name: weights[entry.columns].view(entry.shape) for entry in entries}
