"""The baseline `shuffled`: a sampler's numbers in random order."""

import numpy as np
import pytest

from tests.models import LAYOUT
from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.runs.run import Run
from wsl.sampling.inputs import choice_of, compared
from wsl.sampling.loading import Choice, OpenRun
from wsl.sampling.methods.base import METHODS

TASK = "0/3/2"
KDE = {"bandwidth": 0.5, "fit": "network"}


@pytest.fixture
def models(method_files, autoencoder):
    """Samples of ``kde`` and of ``shuffled``, by seed."""
    choice = Choice(name="shuffled", settings={"of": "kde"}, known=list("012"), recalibrate=False, others={"kde": KDE})
    with OpenRun(method_files(codes=autoencoder.latents["train"]), choice) as run:
        kde, shuffled = run.method("kde", KDE), run.load()
        return [[method.sample(TASK, 0.1, seed=seed) for seed in range(2)] for method in (kde, shuffled)]


def test_numbers_change_places_within_named_parameters_alone(models):
    for plain, shuffled in zip(*models, strict=True):
        for entry in LAYOUT.entries:
            before, after = plain[entry.columns], shuffled[entry.columns]
            if entry.running:
                assert np.array_equal(before, after)
            else:
                assert np.array_equal(np.sort(before), np.sort(after))
                assert len(before) < 20 or (before != after).mean() > 0.8


def test_each_seed_has_an_order_of_its_own(models):
    columns = LAYOUT["conv1.weight"].columns
    orders = [np.argsort(np.argsort(one[columns])) for pair in models for one in pair]
    assert all(not np.array_equal(a, b) for i, a in enumerate(orders) for b in orders[:i])


def run_with(**shuffled):
    return Run({"run": "a", "sampling": {"samplers": ["kde", "flow"], "shuffled": shuffled}})


def test_it_is_compared_where_it_names_a_sampler():
    assert "shuffled" not in compared(run_with())
    run = run_with(of="kde")
    assert "shuffled" in compared(run)
    assert set(METHODS["shuffled"].files(run, 0)) == set(METHODS["kde"].files(run, 0))
    choice = choice_of(run, "shuffled")
    assert choice["others"] == {"kde": run.config.sampling.of("kde")}
    assert choice["prompt_members"] == run.config.sampling.prompt_members
    assert "prompt_members" not in choice_of(run_with(of="flow"), "shuffled")


def test_it_needs_a_sampler_that_is_compared():
    with pytest.raises(ConfigError, match=r"sampling.shuffled.of: memory-bank is not in sampling.samplers"):
        run_with(of="memory-bank")
    with pytest.raises(ConfigError, match="'mean' is not a sampler"):
        load_config({"run": "a", "sampling": {"shuffled": {"of": "mean"}}})
