"""Training of one member: repeatable, with a correct history, and it learns."""

import shutil

import h5py
import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from tests.networks import resnet18, resnet18_layout, resnet18_network
from wsl.files.tensors import write_tensors
from wsl.images.inputs import load_task
from wsl.images.reading import USUAL, Normalisation
from wsl.jobs.job import Job
from wsl.zoo.cohort import train_cohort
from wsl.zoo.epochs import augmented, evaluate
from wsl.zoo.index import open_zoo, read_weights, write_index
from wsl.zoo.member import read_member
from wsl.zoo.network import flatten, state_dict, with_zero_head
from wsl.zoo.settings import MemberTraining
from wsl.zoo.snapshots import snapshot_names
from wsl.zoo.start import load_start, random_start


@pytest.mark.parametrize("changes", [{}, {"optimizer": "sgd", "schedule": "cosine", "augment": True}])
def test_same_seed_gives_the_same_bytes(train, tmp_path, changes):
    first, second = (train(tmp_path / run / "m.h5", max_epoch=2, **changes) for run in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    other = train(tmp_path / "other" / "m.h5", max_epoch=2, seed=7, **changes)
    assert not np.array_equal(read_member(first).weights, read_member(other).weights)


def test_history_has_every_epoch_and_snapshots_quote_it(train, tmp_path):
    member = read_member(train(tmp_path / "m.h5", early_epoch=2, max_epoch=4))
    assert member.history["epoch"].tolist() == [1, 2, 3, 4]
    assert member.snapshots["snapshot"].tolist() == ["early", "max"]
    assert not member.diverged
    quoted = member.history.set_index("epoch").loc[[2, 4]].reset_index()
    assert member.snapshots.drop(columns="snapshot").equals(quoted)


@pytest.mark.parametrize("row", [0, 1])
def test_a_snapshot_has_the_validation_loss_of_its_row(zoo, packed, row):
    member = read_member(zoo.members[0])
    network = resnet18(2, 3)
    network.load_state_dict(state_dict(member.weights[row], resnet18_layout(2, 3), member.counters[row]))
    images, labels = load_task([packed[name] for name in "012"], "validation")
    loss, accuracy = evaluate(network, images, labels)
    assert loss == pytest.approx(member.snapshots["validation_loss"][row], rel=1e-6)
    assert accuracy == pytest.approx(member.snapshots["validation_accuracy"][row])


def test_a_member_learns_with_its_own_normalisation(packed, train, tmp_path):
    files, by = [packed[name] for name in "012"], Normalisation((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    usual = read_member(train(tmp_path / "usual.h5"))
    train_cohort(files, tmp_path / "own.h5", [usual.plan], MemberTraining(architecture={"width": 2}), normalisation=by)
    member = read_member(tmp_path / "own.h5")
    assert (usual.layout.normalisation, member.layout.normalisation) == (USUAL, by)
    network = resnet18(2, 3)
    network.load_state_dict(state_dict(member.weights[1], member.layout, member.counters[1]))
    images, labels = load_task(files, "validation")
    inputs = (images.numpy() / 255 - np.reshape(by.mean, (3, 1, 1))) / np.reshape(by.std, (3, 1, 1))
    with torch.no_grad():
        logits = network.eval()(torch.from_numpy(inputs).float())
    loss = torch.nn.functional.cross_entropy(logits, labels).item()
    assert loss == pytest.approx(member.snapshots["validation_loss"][1], rel=1e-4)
    assert not np.array_equal(member.weights, usual.weights)


def test_evaluate_agrees_with_scikit_learn(packed):
    torch.manual_seed(0)
    network = resnet18(2, 3)
    images, labels = load_task([packed[name] for name in "012"], "test")
    loss, accuracy = evaluate(network, images, labels)
    mean, deviation = (np.reshape(v, (3, 1, 1)) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    pixels = (images.numpy() / 255 - mean) / deviation
    with torch.no_grad():
        probabilities = network.eval()(torch.from_numpy(pixels).float()).double().softmax(1).numpy()
    assert loss == pytest.approx(log_loss(labels, probabilities, labels=[0, 1, 2]), rel=1e-4)
    assert accuracy == pytest.approx(accuracy_score(labels, probabilities.argmax(1)))


def test_half_precision_rounds_what_is_stored_and_nothing_else(train, tmp_path):
    whole, half = (train(tmp_path / f"{kind}.h5", width=8, storage=kind) for kind in ("float32", "float16"))
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    whole, half, index = read_member(whole), read_member(half), tmp_path / "index.h5"
    assert half.weights.dtype == np.float32
    assert np.array_equal(half.weights, whole.weights.astype(np.float16).astype(np.float32))
    assert half.history.equals(whole.history)
    write_index([tmp_path / "float32.h5", tmp_path / "float16.h5"], index)
    with open_zoo(index) as zoo:
        assert np.array_equal(read_weights(zoo), np.concatenate([whole.weights, half.weights]))


def test_on_a_cpu_bfloat16_changes_nothing(train, tmp_path):
    ends = [train(tmp_path / precision, precision=precision) for precision in ("float32", "bfloat16")]
    assert ends[0].read_bytes() == ends[1].read_bytes()


def test_a_weight_too_large_for_half_precision_is_refused(train, tmp_path):
    state = resnet18(2, 3).state_dict()
    write_tensors(tmp_path / "start.safetensors", {**state, "fc.bias": torch.full((3,), 1e5)}, {})
    with pytest.raises(FloatingPointError, match=r"a weight of 1e\+05 does not fit float16; set zoo.storage"):
        train(tmp_path / "m.h5", storage="float16", snapshots=[0, "max"], start=tmp_path / "start.safetensors")


def test_it_learns_digits(train, tmp_path):
    member = read_member(train(tmp_path / "m.h5", width=4, max_epoch=5))
    assert member.history["validation_accuracy"].iloc[-1] > 0.8


def test_a_huge_learning_rate_is_marked_and_kept(train, tmp_path):
    member = read_member(train(tmp_path / "m.h5", optimizer="sgd", learning_rate=1e30))
    assert member.diverged
    assert member.weights.shape == (0, resnet18_layout(2, 3).size)
    assert len(member.snapshots) == 0 and len(member.history) >= 1
    assert not np.isfinite(member.history.iloc[-1].to_numpy(float)).all()


def test_test_images_are_not_used(train, packed, tmp_path):
    blind = {}
    for name in "012":
        blind[name] = shutil.copy(packed[name], tmp_path / f"{name}.h5")
        with h5py.File(blind[name], "a") as file:
            del file["test"]
    without = train(tmp_path / "without.h5", images=blind, max_epoch=2)
    assert without.read_bytes() == train(tmp_path / "with.h5", max_epoch=2).read_bytes()


def test_cosine_schedule_nearly_stops_at_the_end(train, tmp_path):
    last_step = {}
    for schedule in ("constant", "cosine"):
        plan = {"optimizer": "sgd", "learning_rate": 0.01, "early_epoch": 4, "max_epoch": 5}
        member = read_member(train(tmp_path / f"{schedule}.h5", schedule=schedule, **plan))
        conv = resnet18_layout(2, 3)["layer4.1.conv2.weight"].columns
        last_step[schedule] = np.linalg.norm(member.weights[1, conv] - member.weights[0, conv])
    # The factor of the last of five epochs is (1 + cos(4/5 pi)) / 2 = 0.095.
    assert last_step["cosine"] < 0.25 * last_step["constant"]


def variants_of(image, reach):
    """Every flip and shift of an image (3, size, size), the edge repeated, by (flipped, down, right)."""
    size = image.shape[1]
    variants = {}
    for flipped in (False, True):
        padded = np.pad(image[:, :, ::-1] if flipped else image, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
        for down in range(2 * reach + 1):
            for right in range(2 * reach + 1):
                crop = padded[:, down : down + size, right : right + size]
                variants[crop.tobytes()] = (flipped, down - reach, right - reach)
    return variants


def test_augmented_flips_and_shifts_each_image_by_itself():
    size, count = 16, 600
    images = np.random.default_rng(0).integers(0, 256, (count, 3, size, size), dtype=np.uint8)
    torch.manual_seed(0)
    result = augmented(torch.from_numpy(images)).numpy()
    drawn = [variants_of(image, size // 8).get(out.tobytes()) for image, out in zip(images, result, strict=True)]
    assert None not in drawn
    flips, downs, rights = zip(*drawn, strict=True)
    assert np.mean(flips) == pytest.approx(0.5, abs=0.08)
    for shifts in (downs, rights):
        values, counts = np.unique(shifts, return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2]
        assert counts.min() > 0.12 * count
    assert abs(np.corrcoef(downs, rights)[0, 1]) < 0.15


@pytest.mark.parametrize(
    ("snapshots", "early", "last", "names"),
    [
        (["early", "max"], 2, 9, {2: "early", 9: "max"}),
        (["max", 0, 4, "early", 1], 2, 9, {0: "epoch0", 1: "epoch1", 2: "early", 4: "epoch4", 9: "max"}),
        (["max"], 2, 1, {1: "max"}),
        ("geometric", 2, 1, {0: "epoch0", 1: "max"}),
        ("geometric", 2, 7, {0: "epoch0", 1: "epoch1", 2: "epoch2", 4: "epoch4", 7: "max"}),
        ("geometric", 2, 8, {0: "epoch0", 1: "epoch1", 2: "epoch2", 4: "epoch4", 8: "max"}),
        ("geometric", 2, 9, {0: "epoch0", 1: "epoch1", 2: "epoch2", 4: "epoch4", 8: "epoch8", 9: "max"}),
    ],
)
def test_snapshots_are_named_by_epoch_in_order(snapshots, early, last, names):
    named = snapshot_names(snapshots, early, last)
    assert named == names
    assert list(named) == sorted(named)


def test_snapshots_at_other_epochs_are_those_of_the_same_training(train, tmp_path):
    settings = {"early_epoch": 2, "max_epoch": 4}
    usual = read_member(train(tmp_path / "usual.h5", **settings))
    more = read_member(train(tmp_path / "more.h5", snapshots=[1, "early", 3, "max"], **settings))
    assert more.snapshots["snapshot"].tolist() == ["epoch1", "early", "epoch3", "max"]
    assert more.snapshots["epoch"].tolist() == [1, 2, 3, 4]
    assert np.array_equal(more.weights[[1, 3]], usual.weights)
    assert more.history.equals(usual.history)


@pytest.fixture
def starts(tmp_path):
    """Files of starts by regime: the weights of one network, with its own head or one of zeros."""
    random_start(tmp_path / "shared.safetensors", resnet18_network(2, 3), Job(seed=5))
    body = load_start(tmp_path / "shared.safetensors")
    write_tensors(tmp_path / "finetuned.safetensors", with_zero_head(body, resnet18_layout(2, 3)), {})
    return {regime: tmp_path / f"{regime}.safetensors" for regime in ("shared", "finetuned")}


def losses_of(state, packed, part):
    """Cross-entropy and accuracy of a state dict on a task's images, by scikit-learn."""
    network = resnet18(2, 3)
    network.load_state_dict(state)
    images, labels = load_task([packed[name] for name in "012"], part)
    mean, deviation = (np.reshape(v, (3, 1, 1)) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        logits = network.eval()(torch.from_numpy((images.numpy() / 255 - mean) / deviation).float())
    probabilities = logits.double().softmax(1).numpy()
    return log_loss(labels, probabilities, labels=[0, 1, 2]), accuracy_score(labels, probabilities.argmax(1))


@pytest.mark.parametrize("regime", ["shared", "finetuned"])
def test_epoch_0_is_the_start_and_its_losses(train, starts, packed, tmp_path, regime):
    member = read_member(train(tmp_path / "m.h5", snapshots=[0, "max"], start=starts[regime], max_epoch=2))
    assert member.snapshots["snapshot"].tolist() == ["epoch0", "max"]
    assert member.history["epoch"].tolist() == [0, 1, 2]
    state = load_start(starts[regime])
    assert np.array_equal(member.weights[0], flatten(state, resnet18_layout(2, 3))[0])
    assert member.counters[0].tolist() == [0] * len(resnet18_layout(2, 3).counters)
    for part in ("train", "validation"):
        loss, accuracy = losses_of(state, packed, part)
        assert member.snapshots[f"{part}_loss"][0] == pytest.approx(loss, rel=1e-4)
        assert member.snapshots[f"{part}_accuracy"][0] == pytest.approx(accuracy, abs=1e-6)


def test_a_head_of_zeros_guesses_at_epoch_0_and_learns(train, starts, tmp_path):
    member = read_member(train(tmp_path / "m.h5", snapshots=[0, "max"], start=starts["finetuned"], max_epoch=2))
    assert member.snapshots["validation_loss"][0] == pytest.approx(np.log(3), rel=1e-6)
    assert member.snapshots["validation_loss"][1] < np.log(3)
    # Equal rows diverge, since each class has other images.
    head = member.weights[1, resnet18_layout(2, 3)["fc.weight"].columns].reshape(3, -1)
    assert np.abs(head[0] - head[1]).max() > 1e-3


def test_members_of_one_start_end_with_different_weights(train, starts, tmp_path):
    first, second = (
        read_member(train(tmp_path / f"{seed}.h5", seed=seed, snapshots=[0, "max"], start=starts["shared"]))
        for seed in (1, 2)
    )
    assert np.array_equal(first.weights[0], second.weights[0])
    assert not np.array_equal(first.weights[1], second.weights[1])


def test_members_without_a_start_begin_with_their_own_random_weights(train, tmp_path):
    starts = []
    for seed in (1, 2):
        member = read_member(train(tmp_path / f"{seed}.h5", seed=seed, snapshots=[0, "max"], max_epoch=2))
        torch.manual_seed(seed)
        assert np.array_equal(member.weights[0], flatten(resnet18(2, 3).state_dict(), resnet18_layout(2, 3))[0])
        starts.append(member.weights[0])
    assert not np.array_equal(*starts)
