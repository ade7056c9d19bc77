"""The sampler `autoregressive` on sequences of codes with known conditional probabilities."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import chisquare

from wsl.datasets.class_means import ClassMeans
from wsl.errors import ConfigError
from wsl.files.hdf5 import new_hdf5, put_table
from wsl.jobs.job import Job
from wsl.runs.run import Run
from wsl.sampling import token_prior
from wsl.sampling.methods.autoregressive import Autoregressive, AutoregressiveSettings
from wsl.sampling.token_prior import Choosing, PriorFiles, TokenPrior, fit_prior

ENTRIES, TOKENS = 3, 3
START = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])  # P(first code), by whether class `a` comes first
STEP = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]])  # P(next code | code), for low losses
CODEBOOK = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
SETTINGS = {"width": 32, "depth": 1, "dropout": 0.0, "learning_rate": 5e-3, "batch_size": 256, "epochs": 7}
SETTINGS |= {"schedule": "cosine"}


def step(loss):
    """The transition matrix: for high losses the next code is drawn from the reversed rows."""
    return STEP if loss < 0.5 else STEP[:, ::-1]


def probabilities(first, loss):
    """P of all 27 sequences, by the product rule."""
    return np.einsum("a,ab,bc->abc", START[int(first)], step(loss), step(loss)).ravel()


@pytest.fixture(scope="module")
def chain(world):
    """Files of a Markov chain of codes, whose start depends on D and whose steps depend on R."""
    rng, files = np.random.default_rng(0), {}
    for part, rows in (("train", 6000), ("validation", 800)):
        tasks, losses = rng.choice(["a/b/c", "b/a/c"], rows), rng.choice([0.125, 0.875], rows)
        table = {"member": np.arange(rows), "task": tasks, "validation_loss": losses, "snapshot": "max", "order": 0}
        own = {(first, loss): probabilities(first == "a", loss) for first in "ab" for loss in (0.125, 0.875)}
        drawn = [rng.choice(27, p=own[task[0], loss]) for task, loss in zip(tasks, losses, strict=True)]
        codes = np.stack(np.unravel_index(drawn, (3, 3, 3)), axis=1)
        files[part] = world.folder / f"chain-{part}.h5"
        with new_hdf5(files[part]) as file:
            file["latents"] = CODEBOOK.numpy()[codes].reshape(rows, -1)
            put_table(file, "snapshots", pd.DataFrame(table))
    encoder = SimpleNamespace(
        tokens=TOKENS, codebook=CODEBOOK, nearest=lambda x: torch.cdist(x, CODEBOOK.expand(len(x), -1, -1)).argmin(2)
    )
    return SimpleNamespace(**files, encoder=encoder)


def fitted(world, chain, name, seed=0, **changes):
    out, history = world.folder / f"{name}.safetensors", world.folder / f"{name}.csv"
    files = PriorFiles(chain.train, chain.validation, world.class_means, world.bins, "encoder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_prior, "load_encoder", lambda path, linear: chain.encoder)
        fit_prior(files, out, history, AutoregressiveSettings(**{**SETTINGS, **changes}), Job(seed=seed))
    return out, history


@pytest.fixture(scope="module")
def prior(world, chain):
    return fitted(world, chain, "prior")


def sampled(world, prior, task, loss, count, seed=0, **settings):
    method = Autoregressive(AutoregressiveSettings(**settings), world.run(fitted=prior[0]))
    datasets = ClassMeans(world.class_means).embed([task] * count)
    latents = method.codes(datasets, np.full(count, loss), seed).reshape(count, TOKENS, 2)
    return torch.cdist(torch.from_numpy(latents), CODEBOOK.expand(count, -1, -1)).argmin(2).numpy()


@pytest.mark.parametrize("task", ["a/b/c", "b/a/c"])
@pytest.mark.parametrize("loss", [0.125, 0.875])
def test_frequencies_of_whole_sequences_match_given_d_and_r(world, prior, task, loss):
    codes = sampled(world, prior, task, loss, 1000)
    found = np.bincount(np.ravel_multi_index(codes.T, (3, 3, 3)), minlength=27)
    own = probabilities(task[0] == "a", loss)
    # The network is fitted to 1,500 sequences per condition, so its own error is about that of the sample.
    assert chisquare(found, 1000 * own).statistic < 2.5 * 26
    for other in (probabilities(task[0] != "a", loss), probabilities(task[0] == "a", 1 - loss)):
        assert chisquare(found, 1000 * other).statistic > 10 * 26  # D and R both matter


def test_the_validation_loss_nears_the_entropy_and_stops_the_fit(world, chain, prior):
    table = pd.read_csv(prior[1])
    entropy = np.mean([-(p * np.log(p)).sum() / TOKENS for d in (0, 1) for p in [probabilities(d, 0.1)]])
    best = table.loc[table["kept"], "validation_loss"].item()
    assert best == table["validation_loss"].min() == pytest.approx(entropy, abs=0.03)
    stopped = pd.read_csv(fitted(world, chain, "stopped", learning_rate=0.3, patience=1)[1])
    assert len(stopped) < 7


def test_seeds_draw_other_codes_and_one_seed_the_same(world, prior):
    one, again, other = (sampled(world, prior, "a/b/c", 0.125, 20, seed) for seed in (0, 0, 1))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_temperature_zero_is_the_most_likely_code(world, prior):
    for settings in ({"temperature": 0}, {"top_k": 1}):  # by hand: 0.7, then 0.4 and 0.8
        assert sampled(world, prior, "a/b/c", 0.125, 4, **settings).tolist() == [[2, 1, 2]] * 4


@pytest.mark.parametrize(
    ("choosing", "expected"),
    [
        (Choosing(), [0.5, 0.3, 0.2]),
        (Choosing(top_k=2), [0.5, 0.3, 0]),
        (Choosing(top_p=0.5), [0.5, 0, 0]),
        (Choosing(top_p=0.6), [0.5, 0.3, 0]),
        (Choosing(temperature=0.5), [0.25, 0.09, 0.04]),
    ],
)
def test_what_codes_are_drawn_from_by_hand(choosing, expected):
    found = choosing.probabilities(torch.tensor([[0.5, 0.3, 0.2]]).log())[0].numpy()
    np.testing.assert_allclose(found / found.sum(), np.array(expected) / np.sum(expected), atol=1e-6)


def test_codes_drawn_one_by_one_have_the_logits_of_the_whole_sequence():
    torch.manual_seed(0)
    prior = TokenPrior((7, 2), 9, (2, 3), 4, 16, 2, 0.1).eval()
    datasets, positions, codes = torch.randn(5, 6), torch.tensor([0, 1, 2, 3, 0]), torch.randint(7, (5, 9))
    with torch.no_grad():
        whole = prior(codes, datasets, positions)
        inputs, past = prior.prefix(datasets, positions), None
        for place in range(9):
            logits, past = prior.run(inputs, past)
            torch.testing.assert_close(logits[:, -1], whole[:, place], rtol=1e-4, atol=1e-5)
            inputs = prior.of_code(codes[:, place : place + 1])
        changed = codes.clone()
        changed[:, 4:] = 0
        again = prior(changed, datasets, positions)
    torch.testing.assert_close(again[:, :5], whole[:, :5])  # no code sees those after it


def test_another_encoder_is_refused_before_any_job():
    config = {"run": "x", "images": {"source": "digits"}, "zoo": {"members": 20, "classes_per_task": 3}}
    config |= {"sampling": {"samplers": ["autoregressive"]}}
    with pytest.raises(ConfigError, match=r"samples codes of the weight encoder vq.*pca-ae; set weights\.encoder"):
        Run(config)
    Run({**config, "weights": {"encoder": "vq"}})
