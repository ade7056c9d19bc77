"""Baselines against brute force, numpy, scikit-learn and the files of members."""

import shutil
from itertools import permutations
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from tests.models import LAYOUT, outputs, photos
from tests.networks import resnet18, resnet18_layout
from wsl.datasets.class_means import ClassMeansByCount
from wsl.images.tasks import TaskImages
from wsl.sampling.features import BodyFeatures
from wsl.sampling.methods.constant import Mean, Scratch
from wsl.sampling.methods.nearest import Nearest, Noised
from wsl.sampling.methods.references import Reconstructed, Trained
from wsl.sampling.methods.task_heads import PENALTIES, Probe, Prototypes
from wsl.weights.codec import load_codec, read_latents
from wsl.zoo.index import open_zoo, write_index
from wsl.zoo.member import read_member

HEAD = slice(LAYOUT["fc.weight"].offset, None)
TRAINING_TASKS = ("012", "234", "413")


def features_of(start, inputs):
    """The inputs of the head, by a hook."""
    network, features = resnet18(2, 3).eval(), []
    network.load_state_dict(start)
    network.fc.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].double().numpy()))
    with torch.no_grad():
        network(inputs)
    return features[0]


@pytest.fixture
def images(packed):
    return TaskImages(list(packed.values()))


@pytest.fixture(scope="module")
def opened(zoo):
    with open_zoo(zoo.train) as train:
        yield train


@pytest.fixture(scope="module")
def maxima(zoo):
    """Weights of the training members' last snapshots, from the members' files."""
    return [read_member(path).weights[1] for path in zoo.members[:3]]


@pytest.fixture(scope="module")
def nearest(opened, class_means):
    return lambda entry=Nearest: nearest_of(entry, opened, list(class_means.values()))


def nearest_of(entry, zoo, means):
    return entry(entry.Settings(), SimpleNamespace(zoo=zoo, layout=zoo.layout, class_means=ClassMeansByCount(means)))


def best_member(features, task, images):
    """The member and class order whose class means are closest in cosine, by brute force."""
    known = {
        (member, order): np.concatenate([features[classes[i]].mean(axis=0) for i in order])
        for member, classes in enumerate(TRAINING_TASKS)
        for order in permutations(range(3))
    }
    centre = np.mean(list(known.values()), axis=0)
    wanted = np.concatenate([features[name][:images].mean(axis=0) for name in task]) - centre
    return max(known, key=lambda key: cosine_similarity([known[key] - centre], [wanted])[0, 0])


@pytest.mark.parametrize("images", [1, None])
def test_nearest_is_found_by_brute_force_over_members_and_class_orders(nearest, maxima, class_means, images):
    features = {name: h5py.File(path)["features"][...] for name, path in class_means.items()}
    members, orders, model = set(), set(), nearest()
    for task in permutations("01234", 3):
        member, order = best_member(features, task, images)
        members.add(member)
        orders.add(order)
        expected, rows = maxima[member].copy(), list(order)
        weight, bias = (maxima[member][LAYOUT[name].columns].reshape(3, -1) for name in ("fc.weight", "fc.bias"))
        expected[HEAD] = np.concatenate([weight[rows].ravel(), bias[rows].ravel()])
        assert np.array_equal(model.sample("/".join(task), 0.1, images), expected)
    assert len(members) > 1 and len(orders) == 6


def test_names_are_compared_with_names(opened, maxima, class_means, tmp_path):
    paths = []
    for i, path in enumerate(class_means.values()):
        paths.append(shutil.copy(path, tmp_path / path.name))
        with h5py.File(paths[-1], "a") as file:
            file["text"] = np.float32(1000 + np.eye(len(class_means))[i])  # far from all images
    model = nearest_of(Nearest, opened, paths)
    for member, task in enumerate(TRAINING_TASKS):
        assert np.array_equal(model.sample("/".join(task), 0.1, 0), maxima[member])


def test_a_training_task_in_another_order_gives_its_member_with_classes_reordered(nearest, maxima, packed):
    inputs, _ = photos(packed, "3", "validation")
    original, reordered = (outputs(weights, inputs) for weights in (maxima[1], nearest().sample("4/2/3", 0.1)))
    torch.testing.assert_close(reordered, original[:, [2, 0, 1]])


def test_noise_has_a_tenth_of_each_parameters_deviation_and_none_on_statistics(nearest):
    plain, noised = nearest().sample("0/1/3", 0.1), nearest(Noised)
    difference = {seed: noised.sample("0/1/3", 0.1, seed=seed) - plain for seed in (0, 1)}
    assert np.array_equal(difference[0], noised.sample("0/1/3", 0.1, seed=0) - plain)
    shares = []
    for entry in LAYOUT.entries:
        original, added = plain[entry.columns], difference[0][entry.columns]
        if "running" in entry.name:
            assert not added.any()
        else:
            assert not np.array_equal(added, difference[1][entry.columns])
            shares.append(added.std() / original.std() if entry.size > 500 else 0.1)
            assert np.abs(added).max() < 0.6 * original.std()
    np.testing.assert_allclose(shares, 0.1, rtol=0.1)


@pytest.fixture(scope="module")
def start():
    """A body of random weights, whose features distinguish digits to some degree."""
    torch.manual_seed(5)
    return resnet18(2, 3).state_dict()


def train_features(start, packed, task, count):
    return [features_of(start, photos(packed, name, "train")[0])[:count] for name in task]


def validation_features(start, packed, task):
    return features_of(start, photos(packed, task, "validation")[0])


def head_on(entry, state, layout, images):
    """A baseline with this state dict as its frozen body."""
    run = SimpleNamespace(layout=layout, frozen=lambda *given: (state, BodyFeatures(state, layout, images)))
    return entry(None, run)


@pytest.mark.parametrize("count", [1, 5, None])
def test_prototypes_give_the_class_whose_mean_has_the_highest_cosine(start, packed, images, count):
    weights = head_on(Prototypes, start, LAYOUT, images).sample("3/0/4", 0.1, count)
    means = [normalize(features).mean(axis=0) for features in train_features(start, packed, "304", count)]
    expected = cosine_similarity(validation_features(start, packed, "304"), means).argmax(1)
    predicted = outputs(weights, photos(packed, "304", "validation")[0]).argmax(1).numpy()
    assert (predicted == expected).mean() > 0.98
    assert len(set(expected)) == 3


@pytest.mark.parametrize("task", ["304", "14"])
@pytest.mark.parametrize("count", [3, 20])
def test_a_probe_is_scikit_learns_logistic_regression(start, packed, images, count, task):
    layout = resnet18_layout(2, len(task))
    state = {**start, "fc.weight": torch.zeros(len(task), 16), "fc.bias": torch.zeros(len(task))}
    weights = head_on(Probe, state, layout, images).sample("/".join(task), 0.1, count)
    if count < 5:
        regression = LogisticRegression(C=0.1, max_iter=1000)
    else:
        regression = GridSearchCV(LogisticRegression(max_iter=1000), {"C": PENALTIES}, cv=5)
    expected = make_pipeline(StandardScaler(), regression)
    expected.fit(np.concatenate(train_features(start, packed, task, count)), np.repeat(range(len(task)), count))
    features = validation_features(start, packed, task)
    head = weights[layout["fc.weight"].columns].reshape(len(task), -1), weights[layout["fc.bias"].columns]
    logits = torch.from_numpy(features @ head[0].T + head[1])
    np.testing.assert_allclose(logits.softmax(1), expected.predict_proba(features), atol=5e-3)
    for entry in layout.entries[:-2]:
        assert np.array_equal(weights[entry.columns], start[entry.name].numpy().ravel())


@pytest.mark.parametrize("entry", [Prototypes, Probe])
def test_heads_need_an_image(start, images, entry):
    assert head_on(entry, start, LAYOUT, images).sample("3/0/4", 0.1, 0) is None


def test_scratch_is_random_for_each_task_and_draw_and_repeatable():
    make = Scratch(None, SimpleNamespace(layout=LAYOUT)).sample
    first = make("0/1/2", 0.1)
    assert np.array_equal(first, make("0/1/2", 0.9, images=3))
    for other in (make("1/0/2", 0.1), make("0/1/2", 0.1, seed=1)):
        assert (first != other).mean() > 0.9
    # He et al.'s deviation, sqrt(2 / (3 * 3 * channels out)).
    filters = first[LAYOUT["layer4.1.conv2.weight"].columns]
    assert filters.std() == pytest.approx(np.sqrt(2 / (9 * 16)), rel=0.1)


def test_trained_gives_each_held_out_member_and_none_where_it_diverged(zoo, train, tmp_path):
    broken = train(tmp_path / "7.h5", "401", member=7, optimizer="sgd", learning_rate=1e9)
    assert read_member(broken).diverged
    write_index([zoo.members[4], broken], tmp_path / "test.h5")
    with open_zoo(tmp_path / "test.h5") as test, open_zoo(zoo.validation) as validation:
        make = Trained(None, SimpleNamespace(held_out=[validation, test], member=None)).sample
        for task, path in (("1/0/4", zoo.members[3]), ("0/3/2", zoo.members[4])):
            assert np.array_equal(make(task, 0.1), read_member(path).weights[1])
        assert make("4/0/1", 0.1) is None


def test_reconstructed_is_the_codecs_round_trip(zoo, fitted, autoencoder):
    codec = load_codec(zoo.train, fitted, autoencoder.state)
    latents, snapshots = read_latents(autoencoder.latents["test"])
    expected = codec.decode(latents[snapshots["snapshot"] == "max"])[0]
    with open_zoo(zoo.test) as test:
        models = Reconstructed(None, SimpleNamespace(held_out=[test], codec=codec, member=None))
        np.testing.assert_allclose(models.sample("0/3/2", 0.1), expected, rtol=1e-3, atol=1e-4)
        assert models.sample("9/9/9", 0.1) is None


def test_the_mean_is_that_of_the_last_snapshots_for_every_task(opened, maxima):
    mean = Mean(None, SimpleNamespace(zoo=opened))
    np.testing.assert_allclose(mean.sample("0/1/2", 0.1), np.mean(maxima, axis=0), rtol=1e-5, atol=1e-7)
    assert np.array_equal(mean.sample("0/1/2", 0.1), mean.sample("3/0/4", 0.9, 2, seed=1))
