"""The differentiable first stage equals that of the codec; `pca` alone is PCA."""

import numpy as np
import pandas as pd
import pytest
import torch

from wsl.weights.coefficients import read_coefficients
from wsl.weights.encoders._autoencoder import PcaEncoder
from wsl.weights.encoders.base import EncoderInputs
from wsl.weights.fitted import LinearStage, load_encoder
from wsl.weights.settings import EncoderFit
from wsl.weights.training import train_weight_encoder

RECIPE = {"learning_rate": 0.01, "batch_size": 4, "epochs": 8, "keep": "last"}


def test_the_first_stage_is_the_codecs(linear, weights):
    stage = LinearStage(linear)
    coefficients = linear.encode(lambda columns: weights[:, columns], len(weights))
    assert stage.encode(torch.from_numpy(weights)).numpy() == pytest.approx(coefficients, abs=1e-5)
    decoded = stage.decode(torch.from_numpy(coefficients * 3)).numpy()
    assert decoded == pytest.approx(linear.decode(coefficients * 3), abs=1e-5)
    assert not stage.state_dict()


def train(files, zoo, fitted, coefficients, encoder, packed=()):
    values = (coefficients["train"], coefficients["validation"], fitted)
    inputs = EncoderInputs(zoo.train, zoo.validation, *values, packed)
    train_weight_encoder(inputs, *files, EncoderFit(encoder=encoder))


def test_latents_of_pca_alone_are_normalised_coefficients(zoo, fitted, coefficients, linear, weights, tmp_path):
    files = [tmp_path / name for name in ("e.safetensors", "h.csv", "c.safetensors")]
    train(files, zoo, fitted, coefficients, {"name": "pca", "normalise": "per-parameter"})
    encoder = load_encoder(files[0], linear)
    values, _ = read_coefficients(coefficients["train"])
    latents = encoder.encode(torch.from_numpy(weights)).numpy()
    assert latents.shape == (6, encoder.latent) == values.shape
    assert latents.mean(0) == pytest.approx(0, abs=1e-4)
    first = linear.owners == 0
    assert latents[:, first].var(0).mean() == pytest.approx(1, rel=1e-3)  # one unit per parameter
    assert np.ptp(latents[:, first].std(0) / values[:, first].std(0)) < 1e-2
    # Six snapshots have five directions, all of which are kept: reconstruction is exact.
    assert encoder.decode(torch.from_numpy(latents)).numpy() == pytest.approx(weights, abs=1e-3)
    assert pd.read_csv(files[1]).to_dict("records") == [
        {"epoch": 0, "train_loss": 0.0, "validation_loss": 0.0, "kept": True}
    ]


def test_a_behaviour_loss_changes_the_encoder(zoo, fitted, coefficients, packed, linear, tmp_path):
    losses = {}
    for weight in (0.0, 5.0):
        files = [tmp_path / f"{weight}{end}" for end in (".safetensors", ".csv", "-c.safetensors")]
        encoder = {"name": "pca-ae", "latent": 4, "behaviour": weight, **RECIPE}
        train(files, zoo, fitted, coefficients, encoder, list(packed.values()))
        losses[weight] = load_encoder(files[0], linear).autoencoder.encoder[0].weight
    assert isinstance(load_encoder(files[0], linear), PcaEncoder)
    assert not torch.allclose(losses[0.0], losses[5.0])
