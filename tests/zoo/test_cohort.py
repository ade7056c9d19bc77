"""Members trained in one job equal those that are trained alone."""

import shutil

import h5py
import numpy as np
import pytest
import torch

from tests.conftest import plan_row
from tests.networks import resnet18_network
from wsl.images.inputs import normalised
from wsl.images.packing import pack_class
from wsl.images.reading import USUAL
from wsl.images.settings import Packing
from wsl.jobs.job import Job
from wsl.zoo import epochs, stack, stack_choice, training
from wsl.zoo.cohort import train_cohort, train_together
from wsl.zoo.member import read_member
from wsl.zoo.network import network_for
from wsl.zoo.settings import MemberTraining
from wsl.zoo.stack_choice import kind_for
from wsl.zoo.stacked_network import MappedNetwork, StackedNetwork
from wsl.zoo.stacked_optimizer import Steps, step
from wsl.zoo.start import random_start
from wsl.zoo.training import Training

SHARED = {"schedule": "cosine", "augment": True, "snapshots": [0, "early", "max"]}
SETTINGS = MemberTraining(architecture={"width": 2}, **SHARED)
PLANS = [
    plan_row(0, "012"),
    plan_row(1, "340", optimizer="sgd", learning_rate=0.01, max_epoch=2),
    plan_row(2, "210", weight_decay=1e-3, batch_size=16),
    plan_row(3, "421", optimizer="sgd", learning_rate=0.03, batch_size=16),
]


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    """Packed digits of 20 pixels, the least of ``cnn-small``."""
    files = {name: tmp_path_factory.mktemp("larger") / f"{name}.h5" for name in "012"}
    for name, path in files.items():
        pack_class(path, name, Packing(size=20), seed=0)
    return files


@pytest.fixture
def unequal(packed, tmp_path):
    """Packed digits, one of them with fewer images, so that members have epochs of unequal lengths."""
    files = dict(packed)
    files["4"] = shutil.copy(packed["4"], tmp_path / "4.h5")
    with h5py.File(files["4"], "a") as file:
        few = file["train"][:20]
        del file["train"]
        file["train"] = few
    return files


@pytest.fixture
def exact(monkeypatch):
    """Networks of float64: training in float32 amplifies rounding errors."""
    for module in (epochs, stack, stack_choice):
        monkeypatch.setattr(module, "normalised", lambda *given: normalised(*given).double())
    monkeypatch.setattr(training, "network_for", lambda layout: network_for(layout).double())


def begun(files, plan, **changes):
    return Training([files[name] for name in plan["classes"]], plan, SETTINGS.model_copy(update=changes))


def alone(files, plan, **changes):
    training = begun(files, plan, **changes)
    training.run()
    return training.member()


def together(files, plans, kind=StackedNetwork, **changes):
    trainings = [begun(files, plan, **changes) for plan in plans]
    train_together(trainings, kind=kind)
    return [training.member() for training in trainings]


def assert_equal(member, expected):
    """Equal up to rounding in double precision."""
    assert member.plan == expected.plan
    assert member.snapshots["snapshot"].tolist() == expected.snapshots["snapshot"].tolist()
    assert np.array_equal(member.counters, expected.counters)
    assert np.array_equal(member.weights[0], expected.weights[0])
    assert member.weights == pytest.approx(expected.weights, rel=1e-5, abs=1e-6)
    assert member.history.to_numpy() == pytest.approx(expected.history.to_numpy(), rel=1e-5)


def test_a_cohort_writes_members_as_trained_alone(unequal, exact, tmp_path):
    start = tmp_path / "start.safetensors"
    random_start(start, resnet18_network(2, 3), Job(seed=3))
    together, alone = tmp_path / "together.h5", tmp_path / "alone.h5"
    train_cohort(list(unequal.values()), together, PLANS, SETTINGS, start)
    for plan in PLANS:
        train_cohort([unequal[name] for name in plan["classes"]], alone, [plan], SETTINGS, start)
        assert_equal(read_member(together, plan["member"]), read_member(alone))


@pytest.mark.parametrize("kind", [StackedNetwork, MappedNetwork])
def test_together_they_end_where_each_ends_alone(unequal, exact, kind):
    for member, plan in zip(together(unequal, PLANS, kind), PLANS, strict=True):
        assert_equal(member, alone(unequal, plan))


@pytest.mark.parametrize(
    "architecture",
    [
        {"name": "cnn-small", "channels": 1, "activation": "tanh"},
        {"name": "mlp", "widths": [12, 8]},
        {"name": "resnet18", "width": 2},
    ],
    ids=str,
)
def test_members_that_share_batches_read_them_once(larger, exact, architecture, monkeypatch):
    """Three members read the same images, of which one diverges; each ends as alone, with the cohort's batches."""
    architecture = MemberTraining(architecture=architecture).architecture
    plans = [{**plan, "classes": list("012"), "batch_size": 32, "batch_seed": 7} for plan in PLANS]
    plans[3] |= {"learning_rate": 1e300}
    read, real = [], stack.normalised
    monkeypatch.setattr(stack, "normalised", lambda images, by: (read.append(len(images)), real(images, by))[1])
    changes = {"architecture": architecture, "schedule": "constant", "augment": architecture.name == "resnet18"}
    members = together(larger, plans, **changes)
    images = begun(larger, plans[0]).images
    once = [] if changes["augment"] else [len(images["train"][1])]
    assert set(read) == {32, len(images["validation"][1])} - ({32} if once else set()) | set(once)
    assert [member.diverged for member in members] == [False, False, False, True]
    for member, plan in zip(members[:3], plans, strict=False):
        assert_equal(member, alone(larger, plan, **changes))


def test_as_many_members_train_together_as_caches_hold(packed, monkeypatch):
    def together(**architecture):
        settings = MemberTraining(architecture=architecture)
        return stack_choice.most_together(Training([packed[name] for name in "012"], PLANS[0], settings), 32)

    numbers = 10 + 10 + 3  # units before and after the activation, and logits
    assert together(name="mlp", widths=[10]) == stack_choice.SMALL // (4 * 32 * numbers) == 356
    assert together(name="resnet18", width=2) == stack_choice.MOST
    monkeypatch.setattr(stack_choice, "CACHE", 4 * 32 * numbers * 3)
    assert together(name="mlp", widths=[10]) == 3
    assert together(name="resnet18", width=2) == 1


def test_a_diverged_member_does_not_change_others(packed, exact):
    wild = plan_row(9, "123", optimizer="sgd", learning_rate=1e30)
    members = together(packed, [PLANS[0], wild], schedule="constant")
    assert [member.diverged for member in members] == [False, True]
    expected = alone(packed, PLANS[0], schedule="constant")
    assert members[0].weights == pytest.approx(expected.weights, rel=1e-5, abs=1e-6)


def test_autocast_applies_to_members_that_train_together(packed, monkeypatch):
    monkeypatch.setattr(stack, "computing_in", lambda precision, device: torch.autocast("cpu", torch.bfloat16))
    plans = [{**plan, "max_epoch": 1} for plan in PLANS[:2]]
    for trained, plan in zip(together(packed, plans, snapshots=["max"]), plans, strict=True):
        expected = alone(packed, plan, snapshots=["max"])
        rounded, exact = (member.history["train_loss"].item() for member in (trained, expected))
        assert rounded != exact
        assert rounded == pytest.approx(exact, rel=0.05)


def test_each_member_has_its_own_random_numbers(packed):
    training = Training([packed[name] for name in "012"], PLANS[0], SETTINGS)
    first = training.draw_steps()
    torch.manual_seed(99)
    again = Training([packed[name] for name in "012"], PLANS[0], SETTINGS)
    torch.rand(5)
    pairs = zip(first, again.draw_steps(), strict=True)
    assert all(torch.equal(step.batch, other.batch) for step, other in pairs)


def test_shared_batches_are_those_of_the_cohort_alone(packed):
    plans = [{**plan, "classes": list("012"), "batch_seed": 7} for plan in PLANS]
    first, other, smaller = (begun(packed, plan).draw_steps() for plan in (plans[0], plans[1], plans[2]))
    assert all(torch.equal(one.batch, two.batch) for one, two in zip(first, other, strict=True))
    assert torch.equal(torch.cat([step.batch for step in first])[:16], smaller[0].batch)
    assert not torch.equal(first[0].batch, begun(packed, PLANS[0]).draw_steps()[0].batch)
    weights = [begun(packed, plan).network.fc.weight for plan in plans[:2]]
    assert not torch.equal(*weights)  # initial weights stay each member's own


class Mixing(torch.nn.Module):
    """Layers that can be stacked, in a network that mixes channels."""

    def __init__(self, first):
        super().__init__()
        self.first, self.normalisation = first, USUAL

    def forward(self, images):
        return self.first(images.mean((2, 3))).softmax(1)


@pytest.mark.parametrize(
    ("layer", "fault"),
    [
        (torch.nn.Linear(3, 5), "gradients of first.weight differ"),
        (torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.LayerNorm(5)), "a layer of the kind LayerNorm"),
    ],
)
def test_networks_that_mix_channels_are_not_stacked(packed, layer, fault, caplog):
    training = begun(packed, PLANS[0])
    assert kind_for(training) is StackedNetwork
    training.network = Mixing(layer)
    with caplog.at_level("INFO"):
        assert kind_for(training) is None
    assert fault in caplog.text


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_step_is_that_of_torchs_optimiser_also_after_a_state_was_loaded(optimizer):
    ours, theirs = (torch.nn.Conv2d(3, 4, 3) for _ in range(2))
    ours.load_state_dict(theirs.state_dict())
    ours = ours.to(memory_format=torch.channels_last)
    kind, momentum = (torch.optim.SGD, {"momentum": 0.9}) if optimizer == "sgd" else (torch.optim.Adam, {})
    expected = kind(theirs.parameters(), lr=0.1, weight_decay=0.01, **momentum)
    saved = None
    for _ in range(2):
        found = epochs.make_optimizer(ours, optimizer, 0.1, 0.01, 0.9)
        if saved is not None:
            moments = {
                place: {name: value.contiguous() for name, value in state.items()}  # strides of a member trained alone
                for place, state in saved["state"].items()
            }
            found.load_state_dict({**saved, "state": moments})
        for value in ours.parameters():
            value.grad = torch.empty_like(value)
        steps = Steps(found)
        for _ in range(3):
            for value, other in zip(ours.parameters(), theirs.parameters(), strict=True):
                other.grad = torch.randn_like(other)
                value.grad.copy_(other.grad)
            expected.step()
            step([steps])
        saved = found.state_dict()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
