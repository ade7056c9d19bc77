"""Whole models through the linear stage and back."""

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from tests.networks import resnet18, resnet18_layout
from wsl.errors import DataError
from wsl.weights.coefficients import load_linear, owners, pca_table, read_coefficients
from wsl.weights.pca import ParameterPCA
from wsl.zoo.index import open_zoo, read_weights
from wsl.zoo.network import state_dict

LAYOUT = resnet18_layout(2, 3)


@pytest.fixture(scope="module")
def weights(zoo):
    """All weights by part."""
    read = {}
    for part in ("train", "test"):
        with open_zoo(getattr(zoo, part)) as opened:
            read[part] = read_weights(opened)
    return read


def test_coefficients_are_the_parameters_own_in_their_order(fitted, coefficients, weights):
    values, snapshots = read_coefficients(coefficients["test"])
    blocks = []
    for path, entry in zip(fitted, LAYOUT.entries, strict=True):
        parameter = ParameterPCA.read(path)
        blocks.append((weights["test"][:, entry.columns] - parameter.mean) @ _projection(parameter).T)
    assert values == pytest.approx(np.concatenate(blocks, axis=1), abs=1e-4)
    assert snapshots["member"].tolist() == [4, 4]


def test_the_part_goes_from_the_index_to_coefficients_and_latents(zoo, coefficients, autoencoder):
    for path in (zoo.test, coefficients["test"], autoencoder.latents["test"]):
        with h5py.File(path) as file:
            assert file.attrs["part"] == "test"


def test_each_coefficient_knows_its_parameter(fitted, coefficients):
    named = [LAYOUT.entries[place].name for place in owners(coefficients["train"], "per-parameter")]
    counts = {name: named.count(name) for name in dict.fromkeys(named)}
    parameters = [ParameterPCA.read(path) for path in fitted]
    assert counts == {one.name: one.n_coefficients for one in parameters if one.n_coefficients}
    assert owners(coefficients["train"], "global") is None


def _projection(parameter):
    identity = np.eye(len(parameter.mean))
    return {"pca": parameter.components, "centred": identity, "mean": identity[:0]}[parameter.mode]


def test_small_parameters_are_centred_and_large_ones_projected(fitted):
    modes = [ParameterPCA.read(path).mode for path in fitted]
    assert modes[LAYOUT.entries.index(LAYOUT["fc.bias"])] == "centred"
    assert modes[LAYOUT.entries.index(LAYOUT["conv1.weight"])] == "pca"


def test_training_snapshots_survive_n_minus_1_components(fitted, coefficients, weights):
    codec = load_linear(fitted, LAYOUT)
    values, _ = read_coefficients(coefficients["train"])
    assert codec.decode(values) == pytest.approx(weights["train"], abs=1e-4)
    again = codec.encode(lambda columns: weights["train"][:, columns], len(values))
    assert np.array_equal(again, values)


def test_a_decoded_snapshot_is_a_network_with_the_originals_outputs(fitted, coefficients, weights):
    codec = load_linear(fitted, LAYOUT)
    decoded = codec.decode(read_coefficients(coefficients["train"])[0])[1]
    images, outputs = torch.randn(16, 3, 16, 16, generator=torch.Generator().manual_seed(0)), []
    for vector in (weights["train"][1], decoded):
        network = resnet18(2, 3)
        network.load_state_dict(state_dict(vector, LAYOUT), strict=True)
        with torch.no_grad():
            outputs.append(network.eval()(images))
    assert torch.allclose(*outputs, atol=1e-2, rtol=1e-2)


def test_held_out_snapshots_do_not_survive(fitted, coefficients, weights):
    decoded = load_linear(fitted, LAYOUT).decode(read_coefficients(coefficients["test"])[0])
    assert np.isfinite(decoded).all()
    assert np.abs(decoded - weights["test"]).max() > 0.1


def test_files_out_of_order_are_refused(fitted):
    with pytest.raises(DataError, match="are not the PCA of the network's named parameters; give the files of one run"):
        load_linear([fitted[1], fitted[0], *fitted[2:]], LAYOUT)
    with pytest.raises(DataError, match="are not the PCA of the network's named parameters; give the files of one run"):
        load_linear(fitted[:-1], LAYOUT)


def test_table_says_what_each_parameter_keeps(fitted, coefficients, tmp_path):
    pca_table(fitted, tmp_path / "pca.csv")
    table = pd.read_csv(tmp_path / "pca.csv").set_index("parameter")
    assert table.index.tolist() == [entry.name for entry in LAYOUT.entries]
    assert table["numbers"].tolist() == [entry.size for entry in LAYOUT.entries]
    assert table["coefficients"].sum() == read_coefficients(coefficients["train"])[0].shape[1]
    # Five components of six snapshots explain all there is.
    assert table.loc[table["mode"] == "pca", "explained_variance"].to_numpy() == pytest.approx(1, abs=1e-5)
    assert (table.loc["fc.bias", ["mode", "coefficients"]] == ["centred", 3]).all()
