"""Both stages as one."""

import numpy as np
import pytest
import torch

from tests.conftest import ADAMW
from tests.networks import resnet18
from wsl.weights.codec import load_codec, read_latents
from wsl.weights.coefficients import read_coefficients
from wsl.weights.fitted import load_encoder
from wsl.zoo.index import write_index
from wsl.zoo.member import read_member, write_members
from wsl.zoo.network import state_dict


@pytest.fixture(scope="module")
def codec(zoo, fitted, autoencoder):
    return load_codec(zoo.train, fitted, autoencoder.state)


def test_latents_in_the_file_are_the_autoencoders(codec, zoo, coefficients, autoencoder):
    values, _ = read_coefficients(coefficients["test"])
    latents, snapshots = read_latents(autoencoder.latents["test"])
    module = codec.encoder.autoencoder
    standard = (values - module.normalised.mean.numpy()) / module.normalised.scale.numpy()
    weight, bias = (tensor.detach().numpy() for tensor in (module.encoder[0].weight, module.encoder[0].bias))
    expected = standard @ weight.T + bias
    assert latents == pytest.approx(expected, rel=1e-3, abs=1e-3)
    weights = read_member(zoo.members[4]).weights
    assert codec.encode(weights) == pytest.approx(latents, rel=1e-3, abs=1e-3)
    assert snapshots[["member", "snapshot"]].values.tolist() == [[4, "early"], [4, "max"]]


def test_decode_goes_through_both_stages(codec, autoencoder):
    latents, _ = read_latents(autoencoder.latents["train"])
    coefficients = codec.encoder.autoencoder.decode(torch.from_numpy(latents)).detach().numpy()
    decoded = codec.decode(latents)
    for parameter, entry in zip(codec.linear.parameters, codec.linear.layout.entries, strict=True):
        block, coefficients = np.split(coefficients, [parameter.n_coefficients], axis=1)
        basis = {"pca": parameter.components, "centred": np.eye(len(parameter.mean))}.get(parameter.mode)
        expected = parameter.mean + (block @ basis if basis is not None else 0)
        if not entry.name.endswith("running_var"):
            assert decoded[:, entry.columns] == pytest.approx(np.broadcast_to(expected, (6, entry.size)), abs=1e-4)


def test_the_autoencoder_keeps_half_of_the_training_variance(linear, coefficients, train_encoder, pca_files):
    values, _ = read_coefficients(coefficients["train"])
    # The epoch of lowest validation loss, of two snapshots, is noise; the last one is tested.
    encoder = {"name": "pca-ae", "latent": 8, **ADAMW, "keep": "last", "epochs": 60}
    module = load_encoder(train_encoder(encoder, **pca_files)[0], linear).autoencoder
    with torch.no_grad():
        back = module.decode(module.encode(torch.from_numpy(values))).numpy()
    scale = module.normalised.scale.numpy()
    lost, total = (((errors / scale) ** 2).sum() for errors in (back - values, values - values.mean(0)))
    assert lost < 0.5 * total


@torch.no_grad()
def test_a_decoded_model_is_a_complete_network(codec, autoencoder):
    latents, _ = read_latents(autoencoder.latents["test"])
    network = resnet18(2, 3)
    network.load_state_dict(state_dict(codec.decode(latents)[0], codec.linear.layout, codec.counters), strict=True)
    assert torch.isfinite(network.eval()(torch.randn(4, 3, 16, 16))).all()


def test_counters_are_the_training_members_rounded_mean(zoo, fitted, autoencoder, tmp_path):
    members, copies = [read_member(path) for path in zoo.members[:3]], [tmp_path / f"{i}.h5" for i in range(3)]
    # Six snapshots: a sum of 4 more than a multiple of six makes a mean of two thirds above an integer.
    total = sum(member.counters.sum(axis=0) for member in members)
    members[0].counters[0] += (4 - total) % 6
    for member, path in zip(members, copies, strict=True):
        write_members(path, [member])
    write_index(copies, tmp_path / "train.h5")
    expected = (sum(member.counters.sum(axis=0) for member in members) + 2) // 6
    counters = load_codec(tmp_path / "train.h5", fitted, autoencoder.state).counters
    assert counters.dtype == np.int64 and counters.tolist() == expected.tolist()
