"""Samplers of kernel densities and baselines of prompt members, on the tiny zoo, against brute force."""

import shutil

import h5py
import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.models import LAYOUT, outputs, photos
from wsl.config.schema import load_config
from wsl.errors import ConfigError, DataError
from wsl.runs.run import Run
from wsl.sampling.loading import Choice, OpenRun
from wsl.sampling.methods.base import METHODS
from wsl.sampling.methods.kde import Kde
from wsl.weights.codec import read_latents
from wsl.zoo.member import read_member

TASK = "0/3/2"
PROMPTS = {"share": 1.0}


@pytest.fixture(scope="module")
def untested(packed, tmp_path_factory):
    """Packed images without their test images, which no sampler may read."""
    folder = tmp_path_factory.mktemp("untested")
    paths = [shutil.copy(path, folder / path.name) for path in packed.values()]
    for path in paths:
        with h5py.File(path, "a") as file:
            del file["test"]
    return paths


@pytest.fixture
def opened(method_files, autoencoder, untested, tmp_path):
    """Opens a run with a method that finds its prompt members; yields nothing else."""

    def open_with(name, recalibrate=False, prompts=PROMPTS, packed=untested, **settings):
        files = {"codes": autoencoder.latents["train"], "packed": packed, "novelty": tmp_path / "novelty.csv"}
        choice = {"settings": settings, "prompt_members": prompts, "known": list("012"), "recalibrate": recalibrate}
        return OpenRun(method_files(**files), Choice(name=name, **choice))

    return open_with


def latent_of(latents, member):
    codes, table = read_latents(latents)
    return codes[(table["member"] == member) & (table["snapshot"] == "max")][0]


def test_a_model_is_a_prompt_members_code_with_noise(opened, autoencoder, zoo):
    codes = np.stack([latent_of(autoencoder.latents["train"], member) for member in range(3)])
    with opened("kde", bandwidth=0.5) as run:
        sampler = run.load_as_decoded()
        assert sampler.noise == pytest.approx(0.5 * codes.std(axis=0), rel=1e-5)
        # The tiny zoo has one member per task; its own task has its own code, from the file.
        own = latent_of(autoencoder.latents["train"], 0)
        prompts = sampler.prompts(run.class_means.embed(["0/1/2"])[0], 0.1, 0)
        assert np.array_equal(prompts, own[None])
        expected = run.decode(sampler.draw(prompts, 1, 7), "latent")[0]
        assert np.array_equal(sampler.sample("0/1/2", 0.1, seed=7), expected)
        assert not np.array_equal(sampler.sample("0/1/2", 0.1, seed=8), expected)
    with opened("kde", bandwidth=1e-9, units="codes") as run:
        found = run.load_as_decoded().sample("2/1/0", 0.1)
        # In another order than in the file, the member is encoded with its classes reordered.
        weights = read_member(zoo.members[0]).weights[1].copy()
        for name in ("fc.weight", "fc.bias"):
            columns = LAYOUT[name].columns
            weights[columns] = weights[columns].reshape(3, -1)[::-1].ravel()
        assert found == pytest.approx(run.codec.decode(run.codec.encode(weights[None]))[0], abs=1e-5)


@pytest.mark.parametrize("recalibrate", [False, True])
def test_the_selected_model_has_the_lowest_validation_loss(opened, packed, recalibrate):
    inputs, labels = photos(packed, "032", "validation")
    settings = {"bandwidth": 2.0, "candidates": 6}
    with opened("kde-subsampled", recalibrate, **settings) as run:
        sampler = run.load_as_decoded()
        dataset, losses, models = run.class_means.embed([TASK])[0], [], []
        for code in sampler.draw(sampler.prompts(dataset, 0.1, 4), 6, 4):
            models.append(run.decode(code[None], "latent")[0])
            evaluated = models[-1]
            if recalibrate:
                evaluated = run.recalibration(evaluated, run.images.of_task(TASK)[0])
            losses.append(functional.cross_entropy(outputs(evaluated, inputs), torch.from_numpy(labels)).item())
        assert np.ptp(losses) > 0.01
        found = sampler.sample(TASK, 0.1, seed=4)
        assert found == pytest.approx(models[int(np.argmin(losses))], abs=1e-6)
        ranked, _ = sampler.ranked(sampler.draw(sampler.prompts(dataset, 0.1, 4), 6, 4), TASK, 0.1, None)
        assert ranked == pytest.approx(sorted(losses), rel=1e-4)


def noting(fitted, draw=Kde.draw):
    """A ``Kde.draw`` that notes the codes which the density is fitted to."""

    def noted(self, prompts, *given):
        fitted.append(prompts)
        return draw(self, prompts, *given)

    return noted


def test_a_bootstrap_never_loses_its_best_model_and_fits_to_the_best(opened, monkeypatch):
    settings = {"bandwidth": 1.0, "candidates": 5, "keep": 2}
    best = []
    for iterations in (1, 3):
        with opened("kde-bootstrapped", iterations=iterations, **settings) as run:
            sampler, fitted = run.load_as_decoded(), []
            draw = sampler.draw
            sampler.draw = lambda prompts, *given, fitted=fitted, draw=draw: (
                fitted.append(prompts) or draw(prompts, *given)
            )
            weights = sampler.sample(TASK, 0.1, seed=1)
            best.append(sampler.candidates.losses(weights[None], TASK, 0.1)[0])
    assert best[1] <= best[0]
    assert [len(prompts) for prompts in fitted] == [1, 2, 2]
    losses = [sampler.candidates.losses(run.decode(codes, "latent"), TASK, 0.1).max() for codes in fitted[1:]]
    assert losses[0] >= best[1]


def test_selection_needs_validation_images(opened, untested, tmp_path):
    paths = [shutil.copy(path, tmp_path / path.name) for path in untested]
    for path in paths:
        with h5py.File(path, "a") as file:
            del file["validation"]
    with opened("kde-subsampled", packed=paths) as run, pytest.raises(DataError, match="selects models on validation"):
        run.load_as_decoded().sample(TASK, 0.1)


def test_interpolation_and_prompt_by_hand(opened, zoo):
    members = [read_member(path).weights[1] for path in zoo.members[:3]]
    with opened("prompt") as run:
        assert np.array_equal(run.load_as_decoded().sample("0/1/2", 0.1), members[0])
        assert np.array_equal(run.load_as_decoded().sample("2/3/4", 0.1, seed=3), members[1])
    with opened("interpolation") as run:
        found = run.load_as_decoded().sample("2/3/4", 0.1)
    # The second member is that of the next task; its classes are in the order that fits best.
    head = LAYOUT["fc.weight"].offset
    halves = [(members[1] + other) / 2 for other in (members[0], members[2])]
    assert min(np.abs(found - half)[:head].max() for half in halves) < 1e-6
    with opened("interpolation", place="uniform") as run:
        drawn = [run.load_as_decoded().sample("2/3/4", 0.1, seed=seed) for seed in range(3)]
    direction = 2 * (found - members[1])[:head]
    places = [(w - members[1])[:head] @ direction / (direction @ direction) for w in drawn]
    assert all(0 < place < 1 for place in places) and len(set(np.round(places, 3))) == 3
    assert drawn[0][:head] == pytest.approx(members[1][:head] + places[0] * direction, abs=1e-5)


def test_noise_has_the_distance_of_a_samplers_models(opened, tmp_path):
    (tmp_path / "novelty.csv").write_text("seed,finite,l2\n0,True,2.0\n1,False,\n2,True,4.0\n")
    with opened("noised", noise="kde") as run:
        noised, plain = (
            run.method(name, s).sample(TASK, 0.1) for name, s in (("noised", {"noise": "kde"}), ("nearest", {}))
        )
    assert np.linalg.norm(noised - plain) == pytest.approx(3.0, rel=1e-4)
    assert not (noised - plain)[LAYOUT["bn1.running_mean"].columns].any()


def test_each_token_has_a_density_of_its_own(opened, monkeypatch):
    with opened("kde", fit="token", bandwidth=1e-6) as run:
        monkeypatch.setattr(type(run.codec.encoder), "tokens", 4, raising=False)
        sampler = run.load_as_decoded()  # four tokens of two numbers
        drawn = sampler.draw(np.arange(24.0).reshape(3, 8), 30, 0)
    assert {tuple(np.rint(token)) for token in drawn[:, 2:4]} == {(2, 3), (10, 11), (18, 19)}
    assert (np.rint(drawn) // 8 != np.rint(drawn[:, :1]) // 8).any(axis=1).mean() > 0.8  # of several members


def test_tokens_need_an_encoder_of_tokens():
    sampling = {"samplers": ["kde"], "kde": {"fit": "token"}}
    with pytest.raises(ConfigError, match=r"sampling.kde.fit: the encoder pca-ae has no latents of tokens"):
        METHODS["kde"].check_config(load_config({"run": "a", "sampling": sampling}))
    sane = {"run": "a", "weights": {"encoder": "sane"}, "sampling": sampling}
    METHODS["kde"].check_config(load_config(sane))
    sane["sampling"] = {"samplers": ["kde"], "kde": {"fit": "token", "space": "coefficients"}}
    with pytest.raises(ConfigError, match="PCA coefficients have no latents of tokens"):
        METHODS["kde"].check_config(load_config(sane))


def test_the_sampler_that_noise_is_compared_with_must_be_compared():
    with pytest.raises(ConfigError, match=r"noise: kde is not in sampling.samplers"):
        Run({"run": "a", "sampling": {"samplers": ["flow"], "noised": {"noise": "kde"}}})
    with pytest.raises(ConfigError, match="'nearest' is not a sampler; give the name of one: "):
        load_config({"run": "a", "sampling": {"noised": {"noise": "nearest"}}})
    with pytest.raises(ConfigError, match="10 of 10 candidates leaves nothing to select"):
        load_config({"run": "a", "sampling": {"kde_bootstrapped": {"candidates": 10}}})


def test_baselines_of_prompts_are_compared_where_such_a_sampler_is():
    for samplers, expected in ((["flow"], False), (["flow", "kde"], True)):
        run = Run({"run": "a", "sampling": {"samplers": samplers}})
        assert [METHODS[name].applies(run) for name in ("prompt", "interpolation")] == [expected] * 2
