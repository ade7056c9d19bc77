"""A network over one flat vector of weights, so that the next model is one copy away."""

import numpy as np
import torch

from wsl.zoo.layout import Layout
from wsl.zoo.network import SlimResNet18, network_for


class FlatNetwork:
    """A network whose parameters and running statistics are views of one flat vector.

    Loading state dicts by name takes longer than many a small network runs.

    Attributes:
        network: in evaluation mode; what trains it or estimates its statistics writes into ``weights``.
        weights: float32 (n_weights,), as ``layout`` has them.

    Args:
        layout: of flat weights.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, layout: Layout, device: str = "cpu"):
        self.network: SlimResNet18 = network_for(layout).to(device).eval()
        self.weights = torch.empty(layout.size, device=device)
        held = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        for entry in layout.entries:
            held[entry.name].data = self.weights[entry.columns].view(entry.shape)

    def load(self, weights: np.ndarray) -> SlimResNet18:
        """Return the network with these flat weights (n_weights,)."""
        self.weights.copy_(torch.from_numpy(weights))
        return self.network
