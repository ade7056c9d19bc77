"""The shared encoder (section 3.3)."""

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

from wsl.files.tensors import write_tensors
from wsl.shared.predictor import ConditionalPredictor, load_predictor

SHAPE = {"dataset": 6, "bins": 4, "code": 3, "outcome_embedding": 5, "hidden": [8], "dropout": 0.0}


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return ConditionalPredictor(**SHAPE)


def test_it_is_an_mlp_of_dataset_and_outcome_embedding(encoder):
    datasets, bins = torch.randn(7, 6), torch.tensor([0, 1, 2, 3, 0, 1, 2])
    state = {name: value.double().numpy() for name, value in encoder.state_dict().items()}
    joined = np.concatenate([datasets.double().numpy(), state["outcomes.weight"][bins]], axis=1)
    hidden = np.maximum(joined @ state["mlp.0.weight"].T + state["mlp.0.bias"], 0)
    last = [name.rsplit(".", 1)[0] for name in state if name.startswith("mlp.")][-1]
    expected = hidden @ state[f"{last}.weight"].T + state[f"{last}.bias"]
    with torch.no_grad():
        assert encoder(datasets, bins).numpy() == pytest.approx(expected, abs=1e-5)


def test_every_bin_has_an_embedding_that_learns(encoder):
    encoder(torch.randn(2, 6), torch.tensor([1, 3])).sum().backward()
    moved = encoder.outcomes.weight.grad.abs().sum(1) > 0
    assert moved.tolist() == [False, True, False, True]
    assert encoder.outcomes.weight.shape == (4, 5)


def test_standardising_is_scikit_learns_scaler():
    encoder = ConditionalPredictor(**{**SHAPE, "code": 6})
    training = torch.randn(30, 6) * torch.tensor([0.01, 1, 10, 100, 5, 0]) + 3
    encoder.datasets.fit(training)
    encoder.mlp, encoder.outcomes = nn.Identity(), nn.Embedding(4, 0)
    expected = StandardScaler().fit_transform(training.double().numpy())
    with torch.no_grad():
        assert encoder(training, torch.zeros(30, dtype=int)).numpy() == pytest.approx(expected, abs=1e-3)


def test_a_position_between_bins_interpolates_their_embeddings(encoder):
    embeddings = encoder.outcomes.weight.detach().numpy()
    mixed = encoder.outcome(torch.tensor([0.0, 0.25, 1.5, 3.0])).detach().numpy()
    expected = [embeddings[0], 0.75 * embeddings[0] + 0.25 * embeddings[1]]
    expected += [0.5 * embeddings[1] + 0.5 * embeddings[2], embeddings[3]]
    assert mixed == pytest.approx(np.stack(expected), abs=1e-6)


def test_integer_positions_are_bins(encoder):
    datasets, bins = torch.randn(4, 6), torch.tensor([0, 1, 2, 3])
    assert torch.equal(encoder(datasets, bins), encoder(datasets, bins.float()))


def test_its_projections_have_the_units_of_the_codes(encoder):
    datasets, bins = torch.randn(5, 6), torch.tensor([0, 1, 2, 3, 0])
    plain, codes = encoder(datasets, bins).detach(), torch.randn(30, 3) * torch.tensor([0.1, 10, 1]) + 4
    encoder.codes.fit(codes)
    expected = StandardScaler().fit(codes.double().numpy()).inverse_transform(plain.double().numpy())
    assert encoder(datasets, bins).detach().numpy() == pytest.approx(expected, abs=1e-4)


def test_a_file_restores_it(encoder, tmp_path):
    encoder.datasets.fit(torch.randn(30, 6) * 3 + 1)
    encoder.codes.fit(torch.randn(30, 3) * 2 - 1)
    encoder.code_norm.fill_(4.5)
    write_tensors(tmp_path / "s.safetensors", encoder.state_dict(), encoder.shape)
    loaded = load_predictor(tmp_path / "s.safetensors")
    datasets, bins = torch.randn(5, 6), torch.tensor([0, 1, 2, 3, 3])
    assert torch.equal(loaded(datasets, bins), encoder(datasets, bins))
    assert loaded.code_norm == 4.5 and not loaded.training and loaded.shape == {**SHAPE, "space": "latent"}
