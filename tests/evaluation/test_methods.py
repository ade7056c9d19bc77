"""Every method by name gives a model of the zoo's layout."""

import numpy as np
import pytest

from tests.networks import resnet18_layout, resnet18_network
from wsl.evaluation.kinds import BASELINES, REFERENCES
from wsl.evaluation.methods import RECALIBRATED, WITHOUT_IMAGES, Methods
from wsl.job import Job
from wsl.sampling.body import fit_body
from wsl.sampling.generator import fit_generator
from wsl.sampling.generator_settings import Body
from wsl.zoo.network import flatten
from wsl.zoo.start import load_start, random_start

LAYOUT = resnet18_layout(2, 3)
RECIPE = {"learning_rate": 0.1, "weight_decay": 0.0, "batch_size": 32, "augment": False, "teacher": 0.0}
STATISTICS = [entry.columns for entry in LAYOUT.entries if "running" in entry.name]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    path = tmp_path_factory.mktemp("start") / "start.safetensors"
    random_start(path, resnet18_network(2, 3), Job(seed=4))
    return path


@pytest.fixture(scope="module")
def methods(zoo, fitted, autoencoder, class_means, packed, bins, shared, start, tmp_path_factory):
    """Opened methods over the files of a run, with a start or without."""
    folder, means, images = tmp_path_factory.mktemp("methods"), list(class_means.values()), list(packed.values())
    body, generator = folder / "body.safetensors", folder / "generator.safetensors"
    fit_body(zoo.train, images, body, Body(epochs=0, **RECIPE))
    fit_generator(body, means, images, list("01234"), generator, counts=[3], seed=0)
    files = {"train_index": zoo.train, "fitted": fitted, "autoencoder": autoencoder.state, "bins": bins}
    files |= {"class_means": means, "packed": images}

    def opened(start=start, sampler=None):
        settings = {"norm": "training"} if sampler == "projection" else {}
        own = {"shared": shared.state} if sampler == "projection" else {"generator": generator}
        options = {"known": list("01234"), "recalibrate": True, "strength": 30.0, "settings": settings}
        return Methods([zoo.validation, zoo.test], start, **files, **own, **options)

    return opened


@pytest.mark.parametrize("name", [*REFERENCES, *BASELINES])
def test_every_rival_makes_a_model_of_a_held_out_task(methods, name):
    with methods() as opened:
        weights = opened.load(name).make("0/3/2", 0.1, None if name in WITHOUT_IMAGES else 3)
    assert weights.shape == (LAYOUT.size,) and np.isfinite(weights).all()


@pytest.mark.parametrize("name", ["projection", *REFERENCES, *BASELINES])
def test_new_statistics_are_told_apart_from_those_as_decoded(methods, name):
    with methods(sampler=name) as opened:
        new, old = (opened.load(name, recalibrate=done).make("0/3/2", 0.1) for done in (True, False))
    changed = any(not np.allclose(new[columns], old[columns]) for columns in STATISTICS)
    assert changed == (name in RECALIBRATED)
    others = np.delete(np.arange(LAYOUT.size), np.concatenate([np.r_[columns] for columns in STATISTICS]))
    np.testing.assert_allclose(new[others], old[others], rtol=1e-5)


@pytest.mark.parametrize("name", sorted({*WITHOUT_IMAGES} - {*RECALIBRATED}))
def test_methods_without_images_give_the_same_however_many_may_be_looked_at(methods, name):
    with methods() as opened:
        few, many = (opened.load(name).make("0/3/2", 0.1, count) for count in (2, None))
    assert np.array_equal(few, many)


def test_the_start_is_the_regimes_or_one_of_many_random_ones(methods, start):
    with methods() as opened:
        given = opened.load("start").make("0/3/2", 0.1)
        head = opened.load("prototypes").make("0/3/2", 0.1)
    assert np.array_equal(given, flatten(load_start(start), LAYOUT)[0])
    with methods(start=None) as opened:
        random, again = (opened.load("start").make(task, 0.1) for task in ("0/3/2", "1/0/4"))
    body = slice(0, LAYOUT["fc.weight"].offset)
    assert np.array_equal(given[body], head[body]) and np.array_equal(random, again)
    assert (random != given).mean() > 0.9
