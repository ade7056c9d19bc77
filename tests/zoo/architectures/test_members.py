"""A tiny zoo member of every architecture."""

import json

import numpy as np
import pytest
import torch

from tests.conftest import plan_row
from wsl.images.packing import pack_class
from wsl.images.settings import Packing
from wsl.jobs.job import Job
from wsl.zoo import cohort
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.index import open_zoo, read_snapshot, write_index
from wsl.zoo.member import read_member
from wsl.zoo.network import network_for, state_dict, with_classes
from wsl.zoo.settings import MemberTraining
from wsl.zoo.training import Training, train_member

SIZE = 28
KINDS = [
    {"name": "cnn-small", "channels": 1, "activation": "tanh", "dropout": 0.1},
    {"name": "cnn-small", "channels": 3, "initialisation": "xavier_normal"},
    {"name": "cnn-large", "activation": "gelu"},
    {"name": "mlp", "widths": [12, 8]},
    {"name": "resnet18", "width": 2, "activation": "silu"},
    {"name": "vit", "patch": 7, "width": 12, "heads": 3},
    "timm:test_efficientnet",
    "torchvision:shufflenet_v2_x0_5",
]
PLAN = plan_row(max_epoch=2)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Packed digits of 28 pixels, by name."""
    folder = tmp_path_factory.mktemp("images")
    files = {name: folder / f"{name}.h5" for name in "012"}
    for name, path in files.items():
        pack_class(path, name, Packing(size=SIZE), seed=0)
    return list(files.values())


def test_every_architecture_is_here():
    assert {MemberTraining(architecture=kind).architecture.name for kind in KINDS} == set(ARCHITECTURES)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_member_is_trained_indexed_and_rebuilt(kind, images, tmp_path):
    settings = MemberTraining(architecture=kind)
    train_member(images, tmp_path / "a.h5", PLAN, settings)
    member, architecture = read_member(tmp_path / "a.h5"), settings.architecture
    assert member.history["train_loss"].iloc[-1] < member.history["train_loss"].iloc[0]
    assert json.loads(member.layout.architecture) == architecture.described()
    assert {key: member.plan[key] for key in architecture.columns()} == architecture.columns()
    write_index([tmp_path / "a.h5"], tmp_path / "index.h5")
    with open_zoo(tmp_path / "index.h5") as zoo:
        assert zoo.layout == member.layout == architecture.layout(3, SIZE)
        weights = read_snapshot(zoo, 1)
    network = network_for(member.layout)
    network.load_state_dict(state_dict(weights, member.layout, member.counters[1]), strict=True)
    assert with_classes(member.layout, 5).classes == 5


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_members_train_together_unless_they_draw_numbers(kind, images):
    settings = MemberTraining(architecture=kind)
    plans = [{**PLAN, "member": number, "seed": number, "max_epoch": 1, "early_epoch": 0} for number in range(2)]
    settings = settings.model_copy(update={"snapshots": ["max"]})
    alone, together = ([Training(images, plan, settings) for plan in plans] for _ in range(2))
    draws = settings.architecture.columns().get("dropout", 0) > 0
    assert cohort.draws_numbers(together[0]) == draws
    if draws:
        return
    for training in alone:
        training.run(Job().progress)
    cohort.train_together(together)
    for one, other in zip(alone, together, strict=True):
        losses = [training.member().history["train_loss"].to_numpy() for training in (one, other)]
        np.testing.assert_allclose(*losses, rtol=0.02)


def test_networks_that_draw_numbers_are_trained_one_after_the_other(images, tmp_path, monkeypatch):
    settings = MemberTraining(architecture=KINDS[0])
    together = []
    monkeypatch.setattr(cohort, "train_together", lambda *given: together.append(given))
    real = cohort.Training
    monkeypatch.setattr(cohort, "Training", lambda *given: real(*given[:-1], "cpu"))
    cohort.train_cohort(images, [tmp_path / "a.h5"], [PLAN], settings, job=Job("cuda"))
    train_member(images, tmp_path / "b.h5", PLAN, settings)
    assert not together
    one, other = (read_member(tmp_path / name) for name in ("a.h5", "b.h5"))
    assert np.array_equal(one.weights, other.weights)


def test_dropout_is_resumed_with_the_members_own_numbers(images):
    settings = MemberTraining(architecture=KINDS[0])
    runs = []
    for disturb in (False, True):
        training = Training(images, PLAN, settings)
        if disturb:
            torch.manual_seed(99)
        training.run(Job().progress)
        runs.append(training.member().weights)
    assert np.array_equal(*runs)
