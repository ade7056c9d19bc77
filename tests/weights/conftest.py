"""The tiny zoo's weights, its PCA and images, and outputs of networks."""

import h5py
import numpy as np
import pytest
import torch

from tests.networks import resnet18_layout
from wsl.images.tasks import TaskImages
from wsl.weights.coefficients import load_linear
from wsl.weights.encoders.base import EncoderInputs
from wsl.weights.settings import EncoderFit
from wsl.weights.training import train_weight_encoder
from wsl.zoo.network import network_for, state_dict

LAYOUT = resnet18_layout(2, 3)


@pytest.fixture(scope="session")
def weights(zoo):
    """Flat weights of the six training snapshots."""
    with h5py.File(zoo.train) as file:
        return file["weights"][...]


@pytest.fixture(scope="session")
def held_out(zoo):
    """Flat weights of the two test snapshots."""
    with h5py.File(zoo.test) as file:
        return file["weights"][...]


@pytest.fixture(scope="session")
def linear(fitted):
    """The PCA of the tiny zoo."""
    return load_linear(fitted, LAYOUT)


@pytest.fixture(scope="session")
def images(packed):
    """All packed images."""
    return TaskImages(list(packed.values()))


@pytest.fixture(scope="session")
def train_encoder(zoo, tmp_path_factory):
    """Fits an encoder: ``train_encoder(settings, **files)``; returns the files of encoder, history and states."""

    def run(encoder, orders=1, orders_seed=0, **files):
        folder = tmp_path_factory.mktemp("encoder")
        out = [folder / name for name in ("encoder.safetensors", "history.csv", "states.safetensors")]
        inputs = EncoderInputs(zoo.train, zoo.validation, **files)
        train_weight_encoder(inputs, *out, EncoderFit(encoder=encoder, orders=orders), orders_seed)
        return out

    return run


@pytest.fixture(scope="session")
def pca_files(fitted, coefficients):
    """The PCA and coefficients of the tiny zoo, as files of ``train_encoder``."""
    return {"fitted": fitted, "train": coefficients["train"], "validation": coefficients["validation"]}


@torch.no_grad()
def logits(weights, images, layout=LAYOUT) -> np.ndarray:
    """Outputs of the network of flat weights, with its running statistics."""
    network = network_for(layout)
    network.load_state_dict(state_dict(np.asarray(weights), layout))
    return network.eval()(images).numpy()
