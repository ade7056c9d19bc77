"""The tiny zoo's weights, its PCA and images, and outputs of networks."""

import h5py
import numpy as np
import pytest
import torch

from tests.networks import resnet18_layout
from wsl.images.tasks import TaskImages
from wsl.weights.coefficients import load_linear
from wsl.zoo.network import network_for, state_dict

LAYOUT = resnet18_layout(2, 3)


@pytest.fixture(scope="session")
def weights(zoo):
    """Flat weights of the six training snapshots."""
    with h5py.File(zoo.train) as file:
        return file["weights"][...]


@pytest.fixture(scope="session")
def linear(fitted):
    """The PCA of the tiny zoo."""
    return load_linear(fitted, LAYOUT)


@pytest.fixture(scope="session")
def images(packed):
    """All packed images."""
    return TaskImages(list(packed.values()))


@torch.no_grad()
def logits(weights, images, layout=LAYOUT) -> np.ndarray:
    """Outputs of the network of flat weights, with its running statistics."""
    network = network_for(layout)
    network.load_state_dict(state_dict(np.asarray(weights), layout))
    return network.eval()(images).numpy()
