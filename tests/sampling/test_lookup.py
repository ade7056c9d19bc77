"""Samplers that look up training snapshots, against brute force."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import StandardScaler

from tests.networks import resnet18_layout
from wsl.datasets.class_means import ClassMeans
from wsl.sampling.loading import MethodFiles
from wsl.sampling.methods import lookup
from wsl.sampling.methods.lookup import MemoryBank, MemoryBankSettings, Retrieval
from wsl.weights.codec import read_latents
from wsl.weights.coefficients import encode_part, load_linear
from wsl.zoo.member import read_member


class LatentBank(MemoryBank):
    """A memory bank of the world's codes."""

    space = "latent"


class LatentRetrieval(Retrieval):
    """Retrieval of the world's codes."""

    space = "latent"


@pytest.fixture(scope="module")
def memory_bank(world):
    """Loads a memory bank by its settings."""
    return lambda **settings: LatentBank(MemoryBankSettings(**settings), world.run(codes=world.train))


@pytest.fixture(scope="module")
def retrieval(world):
    return LatentRetrieval(None, world.run(codes=world.train))


@pytest.fixture(scope="module")
def conditions(world):
    """z_D and losses of tasks with one image per class."""
    rng = np.random.default_rng(1)
    return ClassMeans(world.class_means, 1).embed(rng.choice(world.tasks, 20)), rng.uniform(0.05, 1, 20)


@pytest.fixture(scope="module")
def cosines(world, conditions):
    """Cosines of conditions and snapshots, standardised by scikit-learn."""
    known = ClassMeans(world.class_means).embed(read_latents(world.train)[1]["task"])
    scaler = StandardScaler().fit(known)
    return cosine_similarity(scaler.transform(conditions[0]), scaler.transform(known))


def test_retrieval_is_the_nearest_loss_of_the_nearest_dataset(retrieval, conditions, cosines):
    found = retrieval.codes(*conditions)
    for row, loss, code in zip(cosines, conditions[1], found, strict=True):
        same_task = np.flatnonzero(row > row.max() - 1e-5)
        assert len(same_task) < 100  # 6,000 snapshots, 120 tasks
        nearest = min(same_task, key=lambda i: abs(retrieval.losses[i] - loss))
        assert np.array_equal(code, retrieval.known[nearest])


def scores_of(cosines, losses, known):
    return cosines + np.exp(-((np.log(losses)[:, None] - np.log(known)[None]) ** 2) / (2 * 0.5**2))


def test_the_best_of_a_memory_bank_is_found_by_brute_force(memory_bank, conditions, cosines):
    sampler = memory_bank(top_k=1)
    scores = scores_of(cosines, conditions[1], sampler.losses)
    assert sampler.scores(*conditions) == pytest.approx(scores, abs=1e-4)
    assert np.array_equal(sampler.codes(*conditions), sampler.known[sampler.scores(*conditions).argmax(axis=1)])


def test_a_memory_bank_of_one_is_retrieval_where_the_condition_is_known(memory_bank, retrieval, world, monkeypatch):
    # A task's own snapshots have cosine 1, so with a wide kernel no other task's can score higher.
    monkeypatch.setattr(lookup, "WIDTH", 100.0)
    datasets, losses = ClassMeans(world.class_means).embed(world.tasks), np.linspace(0.01, 0.99, len(world.tasks))
    found = memory_bank(top_k=1, temperature=1.0).codes(datasets, losses)
    similarities = retrieval.similarities(datasets)
    for task, loss, code in zip(similarities.argmax(axis=1), losses, found, strict=True):
        rows = np.flatnonzero(retrieval.rows == task)
        nearest = rows[np.abs(np.log(retrieval.losses[rows]) - np.log(loss)).argmin()]
        assert np.array_equal(code, retrieval.known[nearest])


def test_a_memory_bank_mixes_the_best_by_their_scores(memory_bank, conditions, cosines):
    sampler = memory_bank(top_k=5)
    found = sampler.codes(*conditions)
    for scores, code in zip(scores_of(cosines, conditions[1], sampler.losses), found, strict=True):
        best = np.argsort(scores)[-5:]
        shares = np.exp(scores[best] / 0.1)
        assert code == pytest.approx((shares[:, None] * sampler.known[best]).sum(0) / shares.sum(), abs=1e-3)


def test_at_a_high_temperature_it_is_the_mean(memory_bank, conditions):
    sampler = memory_bank(top_k=10**6, temperature=1e6)
    assert sampler.codes(*conditions) == pytest.approx(np.tile(sampler.known.mean(0), (20, 1)), abs=1e-3)


def test_what_all_tasks_share_does_not_change_similarities():
    rng = np.random.default_rng(0)
    tasks, codes = rng.normal(size=(4, 6)), rng.normal(size=(8, 2))
    near, far = (object.__new__(Retrieval) for _ in range(2))
    for bank, common in ((near, 0), (far, 1000)):
        bank.fill(codes, tasks + common, np.arange(8) % 4, np.ones(8))
    datasets = rng.normal(size=(5, 6))
    assert near.similarities(datasets) == pytest.approx(far.similarities(datasets + 1000), abs=1e-6)


def test_reordered_classes_give_the_reordered_network(zoo, fitted, class_means, tmp_path):
    encode_part(zoo.train, fitted, tmp_path / "c.h5", seed=0, orders=6)
    means = list(class_means.values())
    sampler = Retrieval(None, SimpleNamespace(files=MethodFiles(None, means, None, None, codes=tmp_path / "c.h5")))
    assert sampler.space == "coefficients"
    layout, member = resnet18_layout(2, 3), read_member(zoo.members[1])
    weights = member.weights.copy()
    for name in ("fc.weight", "fc.bias"):
        rows = weights[:, layout[name].columns].reshape(2, 3, -1)
        weights[:, layout[name].columns] = rows[:, [2, 0, 1]].reshape(2, -1)
    expected = load_linear(fitted, layout).encode(lambda columns: weights[:, columns], 2)
    # Member 1 has the task 2/3/4; its classes in the order 4/2/3.
    datasets = np.repeat(ClassMeans(means).embed(["4/2/3"]), 2, axis=0)
    found = sampler.codes(datasets, member.snapshots["validation_loss"].to_numpy())
    assert found == pytest.approx(expected, abs=1e-4)
