"""The differentiable first stage is the codec's; `pca` alone is PCA."""

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from tests.networks import resnet18_layout
from wsl.recipe import Recipe
from wsl.weights.coefficients import load_linear, read_coefficients
from wsl.weights.encoders.pca import LinearStage, PcaEncoder, train_pca
from wsl.weights.encoders.registry import load_encoder

RECIPE = {"learning_rate": 0.01, "weight_decay": 0.0, "batch_size": 4, "epochs": 8, "patience": None}
RECIPE |= {"schedule": "constant", "keep": "last"}


@pytest.fixture(scope="module")
def linear(fitted):
    return load_linear(fitted, resnet18_layout(2, 3))


@pytest.fixture(scope="module")
def weights(zoo):
    with h5py.File(zoo.train) as file:
        return file["weights"][...]


def test_the_first_stage_is_the_codecs(linear, weights):
    stage = LinearStage(linear)
    coefficients = linear.encode(lambda columns: weights[:, columns], len(weights))
    assert stage.encode(torch.from_numpy(weights)).numpy() == pytest.approx(coefficients, abs=1e-5)
    decoded = stage.decode(torch.from_numpy(coefficients * 3)).numpy()
    assert decoded == pytest.approx(linear.decode(coefficients * 3), abs=1e-5)
    assert not stage.state_dict()


def train(files, zoo, fitted, coefficients, **changes):
    settings = {"latent": None, "hidden": [], "dropout": 0.0, "normalise": "per-parameter", "checkpoint_count": 3}
    inputs = (coefficients["train"], coefficients["validation"], zoo.train, zoo.validation, fitted)
    train_pca(*inputs, *files, **{**settings, **changes}, recipe=Recipe(**RECIPE), seed=0)


def test_pca_alone_is_nothing_but_normalised_coefficients(zoo, fitted, coefficients, linear, weights, tmp_path):
    files = [tmp_path / name for name in ("e.safetensors", "h.csv", "c.safetensors")]
    train(files, zoo, fitted, coefficients)
    encoder = load_encoder(files[0], linear)
    values, _ = read_coefficients(coefficients["train"])
    latents = encoder.encode(torch.from_numpy(weights)).numpy()
    assert latents.shape == (6, encoder.latent) == values.shape
    assert latents.mean(0) == pytest.approx(0, abs=1e-4)
    first = linear.owners == 0
    assert latents[:, first].var(0).mean() == pytest.approx(1, rel=1e-3)  # one unit a parameter
    assert np.ptp(latents[:, first].std(0) / values[:, first].std(0)) < 1e-2
    # Six snapshots have five directions, all of which are kept: they come back whole.
    assert encoder.decode(torch.from_numpy(latents)).numpy() == pytest.approx(weights, abs=1e-3)
    assert pd.read_csv(files[1]).to_dict("records") == [
        {"epoch": 0, "train_loss": 0.0, "validation_loss": 0.0, "kept": True}
    ]


def test_a_behaviour_loss_changes_what_is_learnt(zoo, fitted, coefficients, packed, linear, tmp_path):
    losses = {}
    for weight in (None, 5.0):
        files = [tmp_path / f"{weight}{end}" for end in (".safetensors", ".csv", "-c.safetensors")]
        more = {} if weight is None else {"behaviour": {"weight": weight, "queries": 4}}
        images = list(packed.values())
        train(files, zoo, fitted, coefficients, latent=4, normalise="per-coefficient", packed=images, **more)
        losses[weight] = load_encoder(files[0], linear).autoencoder.encoder[0].weight
    assert isinstance(load_encoder(files[0], linear), PcaEncoder)
    assert not torch.allclose(losses[None], losses[5.0])
