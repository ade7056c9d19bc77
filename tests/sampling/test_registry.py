"""Every sampler by its name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsl.datasets.class_means import ClassMeans
from wsl.recipe import Recipe
from wsl.sampling.flow_training import fit_flow
from wsl.sampling.registry import load_sampler
from wsl.sampling.regression import fit_regression
from wsl.sampling.settings import Regression
from wsl.weights.codec import read_latents
from wsl.weights.coefficients import read_coefficients

RECIPE = {"learning_rate": 1e-2, "weight_decay": 0.0, "batch_size": 4, "epochs": 2, "patience": None}
RECIPE |= {"schedule": "constant", "keep": "best"}
MIXING = {"top_k": 2, "temperature": 0.1, "width": 0.5, "outcome": "log-loss"}
SETTINGS = {
    "projection": {"norm": "training"},
    "regression": {},
    "memory-bank": {"space": "latent", **MIXING},
    "retrieval": {"space": "coefficients"},
    "flow": {"steps": 3, "method": "heun", "temperature": 0.5},
}
SPACES = {
    "projection": "latent",
    "regression": "coefficients",
    "memory-bank": "latent",
    "retrieval": "coefficients",
    "flow": "coefficients",
}


@pytest.fixture(scope="module")
def files(shared, autoencoder, coefficients, class_means, bins, tmp_path_factory):
    folder, means = tmp_path_factory.mktemp("samplers"), list(class_means.values())
    latents = autoencoder.latents
    made = {"shared": shared.state, "regression": folder / "r.safetensors", "flow": folder / "f.safetensors"}
    given, network = (coefficients["train"], coefficients["validation"], means, bins), {"hidden": [8], "dropout": 0.0}
    common = {**network, "image_counts": [1, 5]}
    fit_regression(*given, made["regression"], folder / "r.csv", Regression(outcome_embedding=4, **common, **RECIPE))
    own = {"frequencies": 2, "directions": 4, "normalise": "per-parameter", "recipe": Recipe(**RECIPE), "seed": 0}
    fit_flow(*given, made["regression"], made["flow"], folder / "f.csv", **own, **common)
    banks = {"train_latents": latents["train"], "train_coefficients": coefficients["train"]}
    return {**made, **banks, "class_means": means, "bins": bins}


@pytest.fixture(scope="module")
def loaded(files):
    return {name: load_sampler(name, SETTINGS[name], **files) for name in SETTINGS}


@pytest.mark.parametrize("name", SETTINGS)
def test_it_gives_a_code_a_condition_in_its_space(name, files, class_means):
    sampler = load_sampler(name, SETTINGS[name], **files)
    datasets = ClassMeans(list(class_means.values())).embed(["0/3/2", "2/0/3", "4/1/0"])
    codes = sampler.codes(datasets, np.array([0.2, 0.5, 3.0]), 0)
    read, path = (
        (read_latents, "train_latents") if SPACES[name] == "latent" else (read_coefficients, "train_coefficients")
    )
    assert sampler.space == SPACES[name]
    assert codes.shape == (3, read(files[path])[0].shape[1]) and codes.dtype == np.float32
    assert np.isfinite(codes).all()


def test_files_of_other_samplers_may_be_left_out(files):
    common = {"class_means": files["class_means"], "bins": files["bins"]}
    needed = {"flow": ("regression", "flow"), "retrieval": ("train_coefficients",), "projection": ("shared",)}
    for name, own in needed.items():
        assert load_sampler(name, SETTINGS[name], **common, **{key: files[key] for key in own}).space == SPACES[name]


@settings(max_examples=25)
@given(
    st.sampled_from(sorted(SETTINGS)),
    st.permutations("01234"),
    st.lists(st.floats(0, 1e9), min_size=1, max_size=4),
    st.none() | st.integers(1, 500),
    st.integers(0, 2**31),
)
def test_any_request_gives_finite_codes_and_each_its_own(loaded, class_means, name, order, losses, images, seed):
    datasets = ClassMeans(list(class_means.values()), images).embed(["/".join(order[:3])] * len(losses))
    codes = loaded[name].codes(datasets, np.array(losses), seed)
    assert len(codes) == len(losses) and codes.dtype == np.float32 and np.isfinite(codes).all()
    # Conditions do not meddle with one another; a flow draws noise for all of them in one go.
    if name != "flow":
        alone = [loaded[name].codes(datasets[:1], np.array([loss]), seed)[0] for loss in losses]
        np.testing.assert_allclose(codes, np.stack(alone), rtol=1e-4, atol=1e-4)
