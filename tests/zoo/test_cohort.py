"""Members trained in one job equal those that are trained alone."""

import shutil

import h5py
import numpy as np
import pytest
import torch

from tests.conftest import plan_row
from tests.networks import resnet18_network
from wsl.images.inputs import normalised
from wsl.jobs.job import Job
from wsl.zoo import cohort, epochs, training
from wsl.zoo.cohort import train_cohort, train_together
from wsl.zoo.member import read_members, write_members
from wsl.zoo.network import network_for
from wsl.zoo.settings import MemberTraining
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
    for module in (epochs, cohort):
        monkeypatch.setattr(module, "normalised", lambda *given: normalised(*given).double())
    monkeypatch.setattr(training, "network_for", lambda layout: network_for(layout).double())


def alone(files, plan, **changes):
    training = Training([files[name] for name in plan["classes"]], plan, SETTINGS.model_copy(update=changes))
    training.run()
    return training.member()


def together(files, plans, **changes):
    trainings = [
        Training([files[name] for name in plan["classes"]], plan, SETTINGS.model_copy(update=changes)) for plan in plans
    ]
    train_together(trainings)
    return [training.member() for training in trainings]


def test_one_after_the_other_gives_the_same_members(train, packed, tmp_path):
    start = tmp_path / "start.safetensors"
    random_start(start, resnet18_network(2, 3), Job(seed=3))
    train_cohort(list(packed.values()), tmp_path / "all.h5", PLANS, SETTINGS, start)
    for plan, member in zip(PLANS, read_members(tmp_path / "all.h5"), strict=True):
        changes = {key: value for key, value in plan.items() if key != "classes"}
        expected = train(tmp_path / "alone.h5", "".join(plan["classes"]), **changes, **SHARED, start=start)
        write_members(tmp_path / "one.h5", [member])
        assert (tmp_path / "one.h5").read_bytes() == expected.read_bytes()


@pytest.mark.parametrize("plans", [PLANS[:2], PLANS[2:]], ids=["large batches", "small batches"])
def test_together_they_end_where_each_ends_alone(unequal, exact, plans):
    for member, plan in zip(together(unequal, plans), plans, strict=True):
        expected = alone(unequal, plan)
        assert member.plan == expected.plan
        assert member.snapshots["snapshot"].tolist() == expected.snapshots["snapshot"].tolist()
        assert np.array_equal(member.counters, expected.counters)
        assert np.array_equal(member.weights[0], expected.weights[0])
        assert member.weights == pytest.approx(expected.weights, rel=1e-5, abs=1e-6)
        assert member.history.to_numpy() == pytest.approx(expected.history.to_numpy(), rel=1e-5)


def test_a_diverged_member_does_not_change_others(packed, exact):
    wild = plan_row(9, "123", optimizer="sgd", learning_rate=1e30)
    members = together(packed, [PLANS[0], wild], schedule="constant")
    assert [member.diverged for member in members] == [False, True]
    expected = alone(packed, PLANS[0], schedule="constant")
    assert members[0].weights == pytest.approx(expected.weights, rel=1e-5, abs=1e-6)


def test_autocast_applies_to_members_that_train_together(packed, monkeypatch):
    monkeypatch.setattr(cohort, "computing_in", lambda precision, device: torch.autocast("cpu", torch.bfloat16))
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
