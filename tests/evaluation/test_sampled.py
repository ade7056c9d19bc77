"""Sampled models beside what costs less thought."""

import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import accuracy_score

from wsl.evaluation.sampled import judge_samples, mean_weights, nearest
from wsl.sampling.models import sample_models
from wsl.tensors import read_tensors
from wsl.weights.codec import load_codec, read_latents
from wsl.zoo.index import open_zoo
from wsl.zoo.layout import resnet18_layout
from wsl.zoo.member import read_member
from wsl.zoo.network import resnet18, state_dict

LAYOUT = resnet18_layout(2, 3)


def score(weights, packed, task):
    """Accuracy on the test images of a task, read and run without wsl.evaluation."""
    images, labels = [], []
    for label, name in enumerate(task):
        with h5py.File(packed[name]) as file:
            images.append(file["test"][...])
        labels += [label] * len(images[-1])
    pixels = (np.concatenate(images) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    network = resnet18(2, 3)
    network.load_state_dict(state_dict(weights, np.zeros(len(LAYOUT.counters), int), LAYOUT))
    with torch.no_grad():
        predicted = network.eval()(torch.from_numpy(pixels).permute(0, 3, 1, 2).float()).argmax(1)
    return accuracy_score(labels, predicted)


@pytest.fixture(scope="module")
def judged(zoo, fitted, autoencoder, shared, class_means, bins, packed, tmp_path_factory):
    """The table for the held-out member 4 and for a member 9 that left no weights, and the sampled files."""
    folder = tmp_path_factory.mktemp("sampled")
    models, means = [folder / "4.safetensors", folder / "9.safetensors"], list(class_means.values())
    files = (zoo.train, fitted, autoencoder.state, means, bins)
    sampler = {"sampler": "projection", "sampler_settings": {"norm": "training"}, "shared": shared.state}
    sample_models([4, 9], ["0/3/2", "4/1/3"], models, *files, **sampler, outcome="best", seed=0, about={})
    codec = (zoo.train, fitted, autoencoder.state)
    held_out = (zoo.test, autoencoder.latents["test"])
    judge_samples(models, *held_out, *codec, means, list(packed.values())[::-1], folder / "t.csv")
    return pd.read_csv(folder / "t.csv"), models


def accuracies(judged, member):
    return judged[0].query("member == @member").set_index("method")["accuracy"]


def test_every_method_is_judged_on_the_tasks_test_images(judged, zoo, fitted, autoencoder, packed):
    table, models = judged
    state, _ = read_tensors(models[0])
    sampled = np.concatenate([state[entry.name].numpy().ravel() for entry in LAYOUT.entries])
    codec, (latents, _) = load_codec(zoo.train, fitted, autoencoder.state), read_latents(autoencoder.latents["test"])
    finished = np.stack([read_member(path).weights[1] for path in zoo.members[:3]]).astype(float)
    expected = {
        "sampled": score(sampled, packed, "032"),
        "trained": score(read_member(zoo.members[4]).weights[1], packed, "032"),
        "reconstructed": score(codec.decode(latents)[1], packed, "032"),
        "mean": score(finished.mean(axis=0).astype(np.float32), packed, "032"),
    }
    own = accuracies(judged, 4)
    for method, value in expected.items():
        assert own[method] == pytest.approx(value, abs=0.011), method
    assert set(own.index) == {*expected, "nearest", "chance"}
    assert set(table.loc[table["member"] == 4, "task"]) == {"0/3/2"}


def test_nearest_is_the_training_member_of_the_same_task(judged, zoo, packed):
    # Member 9's task is member 2's, so nothing is nearer.
    assert accuracies(judged, 9)["nearest"] == score(read_member(zoo.members[2]).weights[1], packed, "413")


def test_chance_is_the_largest_class(judged, packed):
    sizes = []
    for name in "413":
        with h5py.File(packed[name]) as file:
            sizes.append(len(file["test"]))
    assert accuracies(judged, 9)["chance"] == pytest.approx(max(sizes) / sum(sizes))


def test_a_member_without_weights_is_judged_without_them(judged):
    assert set(accuracies(judged, 9).index) == {"sampled", "mean", "nearest", "chance"}


def test_training_images_play_no_part(judged, zoo, fitted, autoencoder, class_means, packed, tmp_path):
    blind = []
    for name, path in packed.items():
        blind.append(shutil.copy(path, tmp_path / f"{name}.h5"))
        with h5py.File(blind[-1], "a") as file:
            del file["train"], file["validation"]
    held_out = (zoo.test, autoencoder.latents["test"], zoo.train, fitted, autoencoder.state)
    judge_samples(judged[1], *held_out, list(class_means.values()), blind, tmp_path / "t.csv")
    assert pd.read_csv(tmp_path / "t.csv").equals(judged[0])


def test_mean_weights_is_the_plain_mean(zoo):
    everything = np.concatenate([read_member(path).weights for path in zoo.members[:3]])
    with open_zoo(zoo.train) as opened:
        assert mean_weights(opened, np.array([1, 3, 5])) == pytest.approx(everything[1::2].mean(0), abs=1e-6)


def test_nearest_is_the_highest_centred_cosine_by_brute_force():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(20, 5)) + 30  # a common offset, under which plain cosines are all but 1
    for embedding in rng.normal(size=(10, 5)) + 30:
        correlations = []
        for row in known:
            a, b = embedding - known.mean(0), row - known.mean(0)
            correlations.append(sum(a * b) / (sum(a * a) * sum(b * b)) ** 0.5)
        assert nearest(embedding, known) == correlations.index(max(correlations))
