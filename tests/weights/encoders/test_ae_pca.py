"""The encoder with a non-linear first stage: its share of compression, its bounds, and PCA without a share."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from tests.weights.conftest import LAYOUT
from wsl.weights.encoders._channels import ChannelEncoder, Compression, RowAutoencoder, share_compression
from wsl.weights.fitted import load_encoder

RECIPE = {"learning_rate": 0.003, "batch_size": 6, "epochs": 60, "schedule": "cosine", "keep": "last"}


@pytest.mark.parametrize(
    ("share", "codes", "components"),
    [
        (0.0, 64, 16),  # rows do not change; PCA leaves 16 of 1024
        (0.5, 8, 16),  # 1024 * (16 / 1024)**.5 = 128 numbers, 8 per channel
        (1.0, 1, 16),  # 16 numbers, one per channel
    ],
)
def test_the_stages_share_the_log_compression_ratio(share, codes, components):
    sizes = share_compression((16, 16, 2, 2), components=16, share=share, snapshots=100)
    assert sizes == Compression(channels=16, length=64, codes=codes, components=components)


def test_a_vector_is_one_row_and_a_row_has_at_least_one_code():
    assert share_compression((12,), 4, 1.0, 100) == Compression(1, 12, 4, 4)
    assert share_compression((32, 1, 3, 3), 4, 1.0, 100) == Compression(32, 9, 1, 4)
    assert share_compression((12,), 64, 0.5, 6) == Compression(1, 12, 8, 5)  # fewer than snapshots


def test_training_starts_from_the_rows_principal_components():
    rows = torch.randn(50, 9) @ torch.randn(9, 9)
    module = RowAutoencoder(Compression(5, 9, 3, 3), hidden=[4], dropout=0.0)
    module.start(rows)
    back = module.decode(module.encode(rows.view(10, 5, 9))).detach().reshape(-1, 9).numpy()
    _, _, vectors = np.linalg.svd(rows.numpy(), full_matrices=False)
    assert back == pytest.approx(rows.numpy() @ vectors[:3].T @ vectors[:3], abs=1e-4)


@pytest.fixture(scope="module")
def fit(train_encoder):
    encoder = {"name": "ae-pca", "components": 4, "hidden": [16], **RECIPE}
    return lambda share, **changes: train_encoder({**encoder, "share": share, **changes})


class Linear:
    layout = LAYOUT


def test_without_a_share_it_is_pca(fit, weights):
    encoder = load_encoder(fit(0.0, epochs=1)[0], Linear)
    back = encoder.decode(encoder.encode(torch.from_numpy(weights))).numpy()
    for name in ("conv1.weight", "layer4.1.conv2.weight", "fc.weight"):
        columns = LAYOUT[name].columns
        values = weights[:, columns].astype(np.float64)
        pca = PCA(min(4, values.shape[1])).fit(values)
        assert back[:, columns] == pytest.approx(pca.inverse_transform(pca.transform(values)), abs=1e-4)


def test_training_lowers_the_loss_of_the_first_stage(fit, weights):
    trained, untrained = (load_encoder(fit(0.8, epochs=epochs, learning_rate=0.01)[0], Linear) for epochs in (40, 1))
    with torch.no_grad():
        assert trained.loss(torch.from_numpy(weights)) < 0.9 * untrained.loss(torch.from_numpy(weights))


def test_latents_have_their_size_and_running_variances_their_bounds(fit, weights):
    encoder: ChannelEncoder = load_encoder(fit(0.5, epochs=2)[0], Linear)
    latents = encoder.encode(torch.from_numpy(weights))
    assert latents.shape == (6, encoder.latent) and encoder.latent == sum(stage.components for stage in encoder.stages)
    assert {stage.components for stage in encoder.stages} <= {2, 3, 4}
    far = encoder.decode(latents * 100).detach()
    for entry in LAYOUT.entries:
        if entry.name.endswith("running_var"):
            assert far[:, entry.columns].min() >= weights[:, entry.columns].min()


def test_same_seed_gives_the_same_bytes(fit):
    assert [path.read_bytes() for path in fit(0.5, epochs=2)] == [path.read_bytes() for path in fit(0.5, epochs=2)]
