"""Encoding and decoding of models by PCA of all parameters."""

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from tests.weights.conftest import LAYOUT, logits
from wsl.errors import DataError
from wsl.weights.coefficients import load_linear, owners, pca_table, read_coefficients
from wsl.weights.pca import ParameterPCA


def test_coefficients_are_those_of_the_parameters_in_their_order(fitted, coefficients, held_out):
    values, snapshots = read_coefficients(coefficients["test"])
    blocks = []
    for path, entry in zip(fitted, LAYOUT.entries, strict=True):
        parameter = ParameterPCA.read(path)
        identity = np.eye(len(parameter.mean))
        projection = {"pca": parameter.components, "centred": identity, "mean": identity[:0]}[parameter.mode]
        blocks.append((held_out[:, entry.columns] - parameter.mean) @ projection.T)
    assert values == pytest.approx(np.concatenate(blocks, axis=1), abs=1e-4)
    assert snapshots["member"].tolist() == [4, 4]


def test_the_part_goes_from_the_index_to_coefficients_and_latents(zoo, coefficients, autoencoder):
    for path in (zoo.test, coefficients["test"], autoencoder.latents["test"]):
        with h5py.File(path) as file:
            assert file.attrs["part"] == "test"


def test_the_file_holds_the_parameter_of_each_coefficient(linear, coefficients):
    named = [LAYOUT.entries[place].name for place in owners(coefficients["train"], "per-parameter")]
    counts = {name: named.count(name) for name in dict.fromkeys(named)}
    assert counts == {pca.name: pca.n_coefficients for pca in linear.parameters if pca.n_coefficients}
    assert owners(coefficients["train"], "global") is None


def test_small_parameters_are_centred_and_large_ones_projected(linear):
    modes = {pca.name: pca.mode for pca in linear.parameters}
    assert modes["fc.bias"] == "centred" and modes["conv1.weight"] == "pca"


def test_n_minus_1_components_preserve_training_snapshots(linear, coefficients, weights):
    values, _ = read_coefficients(coefficients["train"])
    assert linear.decode(values) == pytest.approx(weights, abs=1e-4)
    assert np.array_equal(linear.encode(lambda columns: weights[:, columns], len(values)), values)


def test_a_decoded_snapshot_is_a_network_with_the_outputs_of_its_original(linear, coefficients, weights):
    decoded = linear.decode(read_coefficients(coefficients["train"])[0])[1]
    images = torch.randn(16, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(logits(decoded, images), logits(weights[1], images), atol=1e-2, rtol=1e-2)


def test_held_out_snapshots_are_not_preserved(linear, coefficients, held_out):
    decoded = linear.decode(read_coefficients(coefficients["test"])[0])
    assert np.isfinite(decoded).all()
    assert np.abs(decoded - held_out).max() > 0.1


def test_files_out_of_order_are_refused(fitted):
    for files in ([fitted[1], fitted[0], *fitted[2:]], fitted[:-1]):
        with pytest.raises(DataError, match="are not the PCA of the network's named parameters; give the files of one"):
            load_linear(files, LAYOUT)


def test_table_describes_each_parameter(fitted, coefficients, tmp_path):
    pca_table(fitted, tmp_path / "pca.csv")
    table = pd.read_csv(tmp_path / "pca.csv").set_index("parameter")
    assert table.index.tolist() == [entry.name for entry in LAYOUT.entries]
    assert table["numbers"].tolist() == [entry.size for entry in LAYOUT.entries]
    assert table["coefficients"].sum() == read_coefficients(coefficients["train"])[0].shape[1]
    # Five components of six snapshots explain all variance.
    assert table.loc[table["mode"] == "pca", "explained_variance"].to_numpy() == pytest.approx(1, abs=1e-5)
    assert (table.loc["fc.bias", ["mode", "coefficients"]] == ["centred", 3]).all()
