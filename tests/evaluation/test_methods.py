"""Every baseline and reference, loaded by name, gives a model of the zoo's layout."""

import numpy as np
import pytest

from tests.networks import resnet18_layout
from wsl.errors import ConfigError
from wsl.sampling.body import fit_body
from wsl.sampling.generator import fit_generator
from wsl.sampling.loading import Choice, OpenRun
from wsl.sampling.methods.base import METHODS, CodeSampler, Method
from wsl.sampling.settings import BodySettings
from wsl.zoo.network import flatten
from wsl.zoo.start import load_start

LAYOUT = resnet18_layout(2, 3)
STATISTICS = [entry.columns for entry in LAYOUT.entries if "running" in entry.name]
# ``shuffled`` needs a sampler: tests/sampling/test_shuffled.py; merged bodies: tests/sampling/test_merged_body.py.
ELSEWHERE = {"shuffled", *(name for name in METHODS if hasattr(METHODS[name], "merge"))}
OTHERS = [name for name in METHODS.of_kind("reference", "baseline") if name not in ELSEWHERE]
# Methods whose models get new batch-normalisation statistics.
RECALIBRATED = {
    *("projection", "regression", "memory-bank", "retrieval", "flow", "autoregressive"),
    *("kde", "kde-subsampled", "kde-bootstrapped"),
    *("reconstructed", "mean", "nearest", "noised", "prompt", "interpolation", "shuffled"),
}


@pytest.fixture(scope="module")
def files(zoo, method_files, class_means, packed, shared, start, tmp_path_factory):
    """The files of all methods."""
    folder, images = tmp_path_factory.mktemp("methods"), list(packed.values())
    body, generator = folder / "body.safetensors", folder / "generator.safetensors"
    fit_body(zoo.train, images, body, BodySettings(epochs=0))
    fit_generator(body, list(class_means.values()), images, generator, list("01234"), counts=[3])
    extra = {"start": start, "body": body, "fitted": generator, "shared": shared.state}
    return method_files([zoo.validation, zoo.test], **extra)


@pytest.fixture(scope="module")
def opened(files):
    """Opens the run for a method."""
    return lambda name="start", files=files: OpenRun(files, Choice(name=name, known=list("01234")))


@pytest.mark.parametrize("name", OTHERS)
def test_every_baseline_makes_a_model_of_a_held_out_task(opened, name):
    with opened(name) as run:
        weights = run.load().sample("0/3/2", 0.1, 3 if METHODS[name].uses_images else None)
    assert weights.shape == (LAYOUT.size,) and np.isfinite(weights).all()


@pytest.mark.parametrize("name", ["projection", "generator", *OTHERS])
def test_only_recalibrated_methods_get_new_statistics(opened, name):
    with opened(name) as run:
        new, old = (method.sample("0/3/2", 0.1) for method in (run.load(), run.load_as_decoded()))
    changed = any(not np.allclose(new[columns], old[columns]) for columns in STATISTICS)
    assert changed == (name in RECALIBRATED)
    others = np.delete(np.arange(LAYOUT.size), np.concatenate([np.r_[columns] for columns in STATISTICS]))
    np.testing.assert_allclose(new[others], old[others], rtol=1e-5)


def test_recalibrated_methods_are_these():
    built_in = (name for name in METHODS if METHODS[name].__module__.startswith("wsl."))
    assert {name for name in built_in if METHODS[name].recalibrate} == RECALIBRATED


@pytest.mark.parametrize("attribute", ["kind", "recalibrate"])
def test_a_method_must_set_its_kind_and_recalibration(attribute):
    attributes = {"kind": "baseline", "recalibrate": False}
    del attributes[attribute]
    entry = type("Toy", (Method,), {**attributes, "__module__": __name__})
    with pytest.raises(ConfigError, match=f"toy does not set `{attribute}`"):
        METHODS.register("toy")(entry)
    assert "toy" not in METHODS
    assert CodeSampler.recalibrate  # the default for samplers of codes


@pytest.mark.parametrize("name", [name for name in OTHERS if not METHODS[name].uses_images])
def test_methods_without_images_give_the_same_for_any_number_of_images(opened, name):
    with opened(name) as run:
        few, many = (run.load_as_decoded().sample("0/3/2", 0.1, count) for count in (2, None))
    assert np.array_equal(few, many)


def test_the_start_is_the_regimes_or_one_of_many_random_ones(opened, method_files, start):
    with opened() as run:
        given = run.load().sample("0/3/2", 0.1)
        head = run.method("prototypes").sample("0/3/2", 0.1)
    assert np.array_equal(given, flatten(load_start(start), LAYOUT)[0])
    with opened(files=method_files()) as run:
        random, again = (run.load().sample(task, 0.1) for task in ("0/3/2", "1/0/4"))
    body = slice(0, LAYOUT["fc.weight"].offset)
    assert np.array_equal(given[body], head[body]) and np.array_equal(random, again)
    assert (random != given).mean() > 0.9
