"""The backbone: it learns, is repeatable, gives members an unbiased start, and follows its teacher."""

import h5py
import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

from tests.networks import features_of, resnet18, resnet18_layout, resnet18_network
from wsl.files.tensors import read_tensors
from wsl.images.inputs import load_task, normalised
from wsl.jobs.job import Job
from wsl.zoo.backbone import train_backbone
from wsl.zoo.epochs import evaluate
from wsl.zoo.layout import layout_to_text
from wsl.zoo.start import load_start, random_start
from wsl.zoo.start_settings import ClassifierTraining

RECIPE = {"epochs": 4, "learning_rate": 0.05, "weight_decay": 1e-3, "batch_size": 32, "augment": False, "teacher": 0.0}


@pytest.fixture
def make(packed, tmp_path):
    """Train a backbone on digits 0 to 4: ``make("name", **changes to the recipe)`` returns its file."""

    def run(name, width=4, seed=0, **changes):
        out = tmp_path / f"{name}.safetensors"
        taught, files = changes.pop("taught", ()), [packed[digit] for digit in "01234"]
        settings = ClassifierTraining(**{**RECIPE, **changes})
        train_backbone(files, out, resnet18_network(width, 3), settings, taught, Job(seed=seed))
        return out

    return run


def features(start, packed, digits, part, width=4):
    """Features of a start's body and labels, as arrays."""
    network = resnet18(width, 3)
    network.load_state_dict(load_start(start))
    images, labels = load_task([packed[digit] for digit in digits], part)
    with torch.no_grad():
        return features_of(network.eval(), normalised(images)).numpy(), labels.numpy()


def test_it_learns_features_that_distinguish_digits(make, packed, tmp_path):
    start = make("start", epochs=6)
    random_start(tmp_path / "random.safetensors", resnet18_network(4, 3), Job(seed=0))
    accuracies = []
    for path in (start, tmp_path / "random.safetensors"):
        fitted = LinearDiscriminantAnalysis().fit(*features(path, packed, "01234", "train"))
        accuracies.append(fitted.score(*features(path, packed, "01234", "validation")))
    assert accuracies[0] > 0.9 > accuracies[1]
    about = read_tensors(start)[1]
    assert about.pop("validation_accuracy") == pytest.approx(accuracies[0], abs=0.06)
    assert about.pop("layout") == layout_to_text(resnet18_layout(4, 3))
    assert about == {"regime": "finetuned", "classes": 5, "epochs": 6}


@pytest.mark.parametrize("changes", [{}, {"augment": True, "batch_size": 48}])
def test_same_seed_gives_the_same_bytes(make, changes):
    first, second = (make(name, epochs=2, **changes).read_bytes() for name in ("first", "second"))
    assert first == second
    assert first != make("other", epochs=2, seed=1, **changes).read_bytes()


def test_members_start_with_equal_logits(make, packed):
    network = resnet18(4, 3)
    network.load_state_dict(load_start(make("start", epochs=1)), strict=True)
    images, labels = load_task([packed[digit] for digit in "314"], "validation")
    loss, accuracy = evaluate(network, images, labels)
    assert loss == pytest.approx(np.log(3), rel=1e-6)
    assert accuracy == pytest.approx((labels == 0).float().mean().item())  # of equal logits the first is taken


@pytest.fixture
def taught(packed, tmp_path):
    """Write a teacher's features of each image, one file per class: ``taught("name", function of images)``."""

    def write(name, of):
        files = []
        for digit in "01234":
            with h5py.File(packed[digit]) as file, h5py.File(tmp_path / f"{name}{digit}.h5", "w") as out:
                out["features"] = of(file["train"][...] / 255).astype(np.float32)
            files.append(tmp_path / f"{name}{digit}.h5")
        return files

    return write


def ink(images):
    """Return the coarse distribution of ink in images, and a large direction that all images share."""
    coarse = images.mean(axis=3).reshape(len(images), 4, 4, 4, 4).mean(axis=(2, 4)).reshape(len(images), 16)
    return np.concatenate([coarse, np.full((len(images), 1), 5.0)], axis=1)


def mean_cosine(start, files, packed):
    """Return the mean cosine of centred targets and a linear map of features, fitted on every second one."""
    targets = []
    for path in files:
        with h5py.File(path) as file:
            targets.append(file["features"][...].astype(float))
    targets = np.concatenate(targets)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    targets -= targets.mean(axis=0)
    inputs, _ = features(start, packed, "01234", "train")
    predicted = Ridge(1e-3).fit(inputs[::2], targets[::2]).predict(inputs[1::2])
    lengths = np.linalg.norm(predicted, axis=1) * np.linalg.norm(targets[1::2], axis=1)
    return ((predicted * targets[1::2]).sum(axis=1) / lengths).mean()


def test_a_teacher_draws_features_towards_its_own(make, taught, packed):
    files = taught("ink", ink)
    alone = mean_cosine(make("alone", epochs=6), files, packed)
    led = mean_cosine(make("led", epochs=6, teacher=10.0, taught=files), files, packed)
    assert led > alone + 0.03
    # Features of other images do not help, so each image must have been paired with its own.
    swapped = taught("swapped", lambda images: ink(images)[::-1])
    misled = mean_cosine(make("misled", epochs=6, teacher=10.0, taught=swapped), files, packed)
    assert led > misled + 0.03


def test_only_the_direction_of_a_teachers_features_counts(make, taught):
    plain = make("plain", epochs=1, teacher=1.0, taught=taught("plain", ink))
    # Powers of two change no other digit of a float.
    scaled = taught("scaled", lambda images: ink(images) * 2.0 ** (np.arange(len(images))[:, None] % 5))
    assert make("scaled", epochs=1, teacher=1.0, taught=scaled).read_bytes() == plain.read_bytes()
    assert make("double", epochs=1, teacher=2.0, taught=scaled).read_bytes() != plain.read_bytes()


def test_a_teacher_still_lets_it_learn_its_classes(make, taught):
    about = read_tensors(make("led", epochs=6, teacher=1.0, taught=taught("ink", ink)))[1]
    assert about["validation_accuracy"] > 0.85


def test_fewer_images_than_a_batch_give_one_step_per_epoch(make):
    assert make("one", epochs=1, batch_size=100_000).exists()
    assert load_start(make("two", epochs=2, batch_size=100_000))["bn1.num_batches_tracked"].item() == 2


def test_divergence_is_reported_and_nothing_written(make, tmp_path):
    with pytest.raises(FloatingPointError, match="non-finite in epoch 1; lower learning_rate"):
        make("far", learning_rate=1e20)
    assert not (tmp_path / "far.safetensors").exists()
