"""Every encoder with the files of a run: latents of a part in all class orders, and decoded weights."""

import numpy as np
import pytest

from tests.weights.conftest import LAYOUT
from wsl.errors import DataError
from wsl.files.tensors import read_tensors, write_tensors
from wsl.jobs.job import Job
from wsl.weights.codec import embed_part, load_codec, read_latents
from wsl.weights.coefficients import encode_part
from wsl.weights.encoders.base import WEIGHT_ENCODERS
from wsl.weights.fitted import load_states
from wsl.weights.orders import class_orders, reorder_weights
from wsl.weights.pca import fit_parameters
from wsl.weights.pca_settings import PcaSettings
from wsl.weights.snapshots import Snapshots

RECIPE = {"learning_rate": 0.003, "batch_size": 8, "epochs": 2}
ORDERS = {"orders": 3, "seed": 5}
TOKENS = {"size": 64, "permute": True, "beta": 0.8, **RECIPE}
ENCODERS = {
    "pca": {"normalise": "global"},
    "pca-ae": {"latent": 6, "hidden": [8], "normalise": "global", **RECIPE},
    "ae-pca": {"components": 4, "hidden": [8], **RECIPE},
    "contrastive": {"latent": 2, "windows": 1, **TOKENS},
    "hyper": {"latent": 5, **TOKENS},
    "sane": {"latent": 1000, "windows": 1, **TOKENS},
}


@pytest.fixture(scope="module")
def first_stage(zoo, tmp_path_factory):
    """PCA files over three class orders, and the coefficients of every part."""
    folder = tmp_path_factory.mktemp("first_stage")
    settings = PcaSettings(variance_threshold=1e-12, components=4)
    names = [entry.name for entry in LAYOUT.entries]
    fitted = [folder / f"{name}.h5" for name in names]
    fit_parameters(zoo.train, fitted, names, settings, orders=3, job=Job(seed=5))
    coefficients = {part: folder / f"{part}.h5" for part in ("train", "validation", "test")}
    for part, path in coefficients.items():
        encode_part(getattr(zoo, part), fitted, path, seed=5, orders=3 if part == "train" else 1)
    return fitted, coefficients


@pytest.fixture(scope="module", params=ENCODERS)
def files(request, zoo, first_stage, train_encoder, tmp_path_factory):
    fitted, coefficients = first_stage
    inputs = {"train": coefficients["train"], "validation": coefficients["validation"], "fitted": fitted}
    inputs = inputs if WEIGHT_ENCODERS[request.param].reads_coefficients else {}
    encoder = {"name": request.param, **ENCODERS[request.param]}
    state, _, states = train_encoder(encoder, orders=3, orders_seed=5, **inputs)
    folder = tmp_path_factory.mktemp("latents")
    latents = {part: folder / f"{part}.h5" for part in ("train", "test")}
    embed_part(zoo.train, coefficients["train"], fitted, state, latents["train"], **ORDERS)
    embed_part(zoo.test, coefficients["test"], fitted, state, latents["test"], orders=1, seed=5)
    return {"encoder": state, "states": states, **latents}


@pytest.fixture
def codec(files, zoo, first_stage):
    return load_codec(zoo.train, first_stage[0], files["encoder"])


def test_latents_are_the_encoders_in_every_class_order(codec, files, weights, held_out):
    latents, snapshots = read_latents(files["train"])
    assert latents.shape == (18, codec.encoder.latent)
    assert snapshots["order"].tolist() == [0] * 6 + [1] * 6 + [2] * 6
    for number, order in enumerate(class_orders(3, 3, 5)):
        reordered = np.stack([reorder_weights(vector, LAYOUT, order) for vector in weights])
        expected = pytest.approx(codec.encode(reordered), abs=2e-3)
        assert latents[6 * number : 6 * number + 6] == expected, number
    assert read_latents(files["test"])[0] == pytest.approx(codec.encode(held_out), abs=2e-3)


def test_decoded_weights_are_complete_networks(codec, held_out):
    decoded = codec.decode(codec.encode(held_out))
    assert decoded.shape == (2, LAYOUT.size) and decoded.dtype == np.float32
    assert np.isfinite(decoded).all()
    assert not np.array_equal(decoded[0], decoded[1])


def test_states_during_the_training_include_the_kept_one(codec, files):
    states = [encoder.state_dict() for encoder in load_states(files["states"], codec.linear).values()]
    kept = codec.encoder.state_dict()
    assert any(all((state[name] == kept[name]).all() for name in kept) for state in states)


def test_a_file_that_is_not_a_weight_encoder_of_this_version_is_refused(files, first_stage, zoo, tmp_path):
    tensors, about = read_tensors(files["encoder"])
    for other in ({**about, "kind": "unheard-of"}, {**about, "shapes": [[2, 3, 7]]}):
        write_tensors(tmp_path / "e.safetensors", tensors, other)
        with pytest.raises(DataError, match=r"e\.safetensors is not a weight encoder of this version"):
            load_codec(zoo.train, first_stage[0], tmp_path / "e.safetensors")


def test_snapshots_are_reordered_with_their_tasks(zoo):
    with Snapshots(zoo.train, **ORDERS) as snapshots:
        assert len(snapshots) == 18
        heads = snapshots.weights([2, 8])[:, LAYOUT["fc.bias"].columns]
        order = snapshots.orders[1]
        assert heads[1].tolist() == heads[0][list(order)].tolist()
        classes = snapshots.task(2).split("/")
        assert snapshots.task(8).split("/") == [classes[place] for place in order]
