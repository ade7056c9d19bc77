"""The differentiable first stage equals that of the codec; `pca` alone is PCA."""

import numpy as np
import pandas as pd
import pytest
import torch

from wsl.weights.coefficients import read_coefficients
from wsl.weights.fitted import LinearStage, load_encoder


def test_the_pca_files_is_the_codecs(linear, weights):
    stage = LinearStage(linear)
    coefficients = linear.encode(lambda columns: weights[:, columns], len(weights))
    assert stage.encode(torch.from_numpy(weights)).numpy() == pytest.approx(coefficients, abs=1e-5)
    decoded = stage.decode(torch.from_numpy(coefficients * 3)).numpy()
    assert decoded == pytest.approx(linear.decode(coefficients * 3), abs=1e-5)
    assert not stage.state_dict()


def test_latents_of_pca_alone_are_normalised_coefficients(train_encoder, pca_files, coefficients, linear, weights):
    files = train_encoder({"name": "pca", "normalise": "per-parameter"}, **pca_files)
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
