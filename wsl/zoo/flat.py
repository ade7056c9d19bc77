"""A network whose weights are views of one flat vector, so that loading a model is one copy."""

import numpy as np
import torch
from torch import nn

from wsl.zoo.layout import Layout
from wsl.zoo.network import network_for


class FlatNetwork:
    """A network whose parameters and running statistics are views of one flat vector.

    Loading a state dict by name takes longer than a forward pass of a small network.

    Attributes:
        network: in evaluation mode; changes of its parameters and statistics are changes of ``weights``.
        weights: float32 (n_weights,), in the order of the layout.
    """

    def __init__(self, layout: Layout, device: str = "cpu"):
        self.network = network_for(layout).to(device).eval()
        self.weights = torch.empty(layout.size, device=device)
        state = self.network.state_dict(keep_vars=True)
        for entry in layout.entries:
            state[entry.name].data = self.weights[entry.columns].view(entry.shape)

    def load(self, weights: np.ndarray) -> nn.Module:
        """Return the network with these flat weights (n_weights,)."""
        self.weights.copy_(torch.from_numpy(weights))
        return self.network
