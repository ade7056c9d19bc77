"""Every built-in sampler of codes, by its name."""

from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsl.datasets.class_means import ClassMeans
from wsl.sampling.loading import Choice, OpenRun
from wsl.sampling.methods.base import METHODS
from wsl.sampling.methods.flow import FlowSettings
from wsl.sampling.methods.regression import RegressionSettings, fit_regression
from wsl.sampling.residual_flow import FlowFiles, fit_flow
from wsl.shared.pairs import read_codes

RECIPE = {"learning_rate": 1e-2, "batch_size": 4, "epochs": 2, "hidden": [8], "dropout": 0.0}
SETTINGS = {
    "projection": {"norm": "training"},
    "regression": {},
    "memory-bank": {"top_k": 2},
    "retrieval": {},
    "flow": {"steps": 3, "temperature": 0.5},
    "kde": {"fit": "number"},
    "kde-subsampled": {"candidates": 1},
    "kde-bootstrapped": {"candidates": 2, "keep": 1},
}
LATENT = ("projection", "kde", "kde-subsampled", "kde-bootstrapped")


@pytest.fixture(scope="module")
def files(shared, autoencoder, coefficients, class_means, bins, tmp_path_factory):
    """The files of each sampler."""
    folder, means = tmp_path_factory.mktemp("samplers"), list(class_means.values())
    prediction, flow = folder / "r.safetensors", folder / "f.safetensors"
    common = (coefficients["train"], coefficients["validation"], means, bins)
    fit_regression(*common, prediction, folder / "r.csv", RegressionSettings(image_counts=[1, 5], **RECIPE))
    inputs, shape = FlowFiles(*common, prediction), {"normalise": "per-parameter", "image_counts": [1, 5]}
    fit_flow(inputs, flow, folder / "f.csv", FlowSettings(directions=4, **RECIPE), **shape)
    return {
        "projection": {"shared": shared.state},
        "regression": {"fitted": prediction},
        "memory-bank": {"codes": coefficients["train"]},
        "retrieval": {"codes": coefficients["train"]},
        "flow": {"regression": prediction, "fitted": flow},
        **{name: {"codes": autoencoder.latents["train"]} for name in LATENT[1:]},
    }


@pytest.fixture(scope="module")
def loaded(files, method_files):
    """Each sampler, loaded from the common files and its own."""
    with ExitStack() as stack:
        samplers = {}
        for name, extra in files.items():
            choice = Choice(name=name, settings=SETTINGS[name], known=["0"])
            samplers[name] = stack.enter_context(OpenRun(method_files(**extra), choice)).load_as_decoded()
        yield samplers


def test_all_samplers_of_codes_are_tested():
    """Those of one weight encoder have tests of their own."""
    several = {name for name in METHODS.of_kind("sampler") if METHODS[name].space and not METHODS[name].needs_encoder}
    assert several == set(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_it_gives_a_code_per_condition_in_its_space(name, loaded, autoencoder, coefficients, class_means):
    datasets = ClassMeans(list(class_means.values())).embed(["0/3/2", "2/0/3", "4/1/0"])
    codes = loaded[name].codes(datasets, np.array([0.2, 0.5, 3.0]), 0)
    space = "latent" if name in LATENT else "coefficients"
    known, _ = read_codes(autoencoder.latents["train"] if space == "latent" else coefficients["train"], space)
    assert METHODS[name].space == space
    assert codes.shape == (3, known.shape[1]) and codes.dtype == np.float32
    assert np.isfinite(codes).all()


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "kde-bootstrapped"])
def test_models_are_decoded_codes(name, files, method_files, class_means):
    with OpenRun(method_files(**files[name]), Choice(name=name, settings=SETTINGS[name], known=["0"])) as run:
        sampler = run.load_as_decoded()
        datasets = ClassMeans(list(class_means.values()), 5).embed(["0/3/2"])
        codes = sampler.codes(datasets, np.array([0.3]), 4)
        expected = run.codec.decode(codes) if name in LATENT else run.codec.linear.decode(codes)
        assert np.array_equal(sampler.sample("0/3/2", 0.3, 5, 4), expected[0])


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
    # Conditions are independent, except that a flow draws noise for all of them together.
    if name != "flow":
        alone = [loaded[name].codes(datasets[:1], np.array([loss]), seed)[0] for loss in losses]
        np.testing.assert_allclose(codes, np.stack(alone), rtol=1e-4, atol=1e-4)
