"""A sampler, a baseline and a loss from outside the package, each one file."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.figures.methods import method, same_data
from wsl.runs.run import Run
from wsl.sampling.inputs import choice_of, compared, draws
from wsl.sampling.loading import Choice, OpenRun
from wsl.sampling.methods.base import METHODS
from wsl.settings.registry import load_plugins
from wsl.shared.losses.base import LOSSES, total_loss
from wsl.shared.settings import Shared
from wsl.shared.training import train_shared
from wsl.zoo.member import read_member

FILES = [str(Path(__file__).parent / f"toy_{name}.py") for name in ("sampler", "baseline", "loss")]
CONFIG = {
    "run": "toys",
    "plugins": FILES,
    "images": {"source": "digits", "size": 16},
    "zoo": {"members": 10, "architecture": {"width": 2}, "classes_per_task": 3},
    "sampling": {"samplers": ["projection", "toy-ridge"], "toy_ridge": {"penalty": 2.0}, "draws": 2},
    "shared": {"losses": {"toy_hinge": {"weight": 1, "margin": 0.2}}},
}


@pytest.fixture(scope="module", autouse=True)
def plugins():
    """Loads the plug-ins, and removes their entries afterwards."""
    load_plugins(FILES)
    yield
    for registry, name in ((METHODS, "toy-ridge"), (METHODS, "toy-median"), (LOSSES, "toy_hinge")):
        registry._entries.pop(name)
    for name in [name for name in sys.modules if name.startswith("wsl_plugins.toy_")]:
        del sys.modules[name]


def test_their_settings_are_in_the_config():
    config = load_config(CONFIG)
    assert config.sampling.of("toy-ridge").penalty == 2.0 and config.shared.losses.of("toy_hinge").margin == 0.2
    with pytest.raises(ConfigError, match=r"sampling\.toy_ridge\.penalty"):
        load_config({**CONFIG, "sampling": {"toy_ridge": {"penalty": -1}}})


def test_the_workflow_fits_evaluates_and_compares_them():
    run = Run(CONFIG)
    assert compared(run)[-2:] == ["projection", "toy-ridge"] and "toy-median" in compared(run)
    assert [draw for name, draw in draws(run, compared(run)) if name == "toy-ridge"] == [0, 1]
    ridge = METHODS["toy-ridge"]
    assert ridge.fit_function().endswith(".fit_ridge")
    assert ridge.fit_values(run) == {"settings": {"penalty": 2.0}}  # the shrinkage does not refit it
    assert ridge.files(run, 1)["fitted"] == "results/toys/sampling/toy-ridge-1.safetensors"
    assert choice_of(run, "toy-ridge")["settings"].shrinkage == 1.0


def test_figures_show_them():
    assert (method("toy-ridge").label, method("toy-ridge").kind) == ("toy ridge", "sampler")
    assert "toy-median" in same_data()


def test_the_sampler_is_a_ridge_regression(method_files, coefficients, class_means, bins, tmp_path):
    ridge, out = METHODS["toy-ridge"], tmp_path / "ridge.safetensors"
    module = sys.modules[ridge.__module__]
    files = (coefficients["train"], coefficients["validation"], list(class_means.values()), bins)
    module.fit_ridge(*files, out, tmp_path / "history.csv", ridge.Settings(penalty=1e9))
    with OpenRun(method_files(fitted=out), Choice(name="toy-ridge", known=list("01"))) as run:
        sampler = run.load_as_decoded()
        codes = sampler.codes(run.class_means.embed(["0/1/2", "3/4/0"]), np.array([0.1, 0.9]))
        np.testing.assert_allclose(codes, np.tile(sampler.mean, (2, 1)), atol=1e-3)  # the slope is zero
        assert np.isfinite(run.load().sample("0/1/2", 0.3)).all()


def test_the_baseline_is_the_median(method_files, zoo):
    expected = np.median([read_member(path).weights[1] for path in zoo.members[:3]], axis=0)
    choice = Choice(name="toy-median", known=[], recalibrate=False)
    with OpenRun(method_files(), choice) as run:
        np.testing.assert_allclose(run.load().sample("0/1/2", 0.3), expected, rtol=1e-6)


def test_the_loss_trains_the_shared_encoder(autoencoder, class_means, bins, tmp_path):
    settings = Shared(losses={"nt_xent": 0, "toy_hinge": {"weight": 2, "margin": 0.5}}, epochs=2, hidden=[4])
    parts = (autoencoder.latents["train"], autoencoder.latents["validation"])
    train_shared(*parts, list(class_means.values()), bins, tmp_path / "s.safetensors", tmp_path / "h.csv", settings)
    codes = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    # Cosine distances of 0 and 1, of which the margin is left out: 2 * (0 + 0.5) / 2.
    assert total_loss(codes[[0, 0]], codes, 1, settings.losses).item() == pytest.approx(0.5)
