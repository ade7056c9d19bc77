"""A tiny zoo member of every architecture."""

import json

import numpy as np
import pytest
import torch

from tests.conftest import plan_row
from wsl.images.inputs import normalised
from wsl.images.packing import pack_class
from wsl.images.settings import Packing
from wsl.jobs.job import Job
from wsl.runs.run import Run
from wsl.zoo import cohort, epochs, training
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.foreign.exporting import export_zoo
from wsl.zoo.foreign.importing import import_zoo
from wsl.zoo.foreign.options import ImportOptions
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


@pytest.fixture
def exact(monkeypatch):
    """Networks and images in double precision, so that rounding does not grow in training."""
    for module in (cohort, epochs):
        monkeypatch.setattr(module, "normalised", lambda *given: normalised(*given).double())
    monkeypatch.setattr(training, "network_for", lambda layout: network_for(layout).double())


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_members_train_together_unless_they_draw_numbers(kind, images, exact):
    settings = MemberTraining(architecture=kind)
    plans = [{**PLAN, "member": number, "seed": number, "max_epoch": 1, "early_epoch": 0} for number in range(2)]
    settings = settings.model_copy(update={"snapshots": ["max"]})
    alone, together = ([Training(images, plan, settings) for plan in plans] for _ in range(2))
    draws = settings.architecture.columns().get("dropout", 0) > 0
    assert cohort.draws_numbers(together[0]) == draws
    if draws:
        return
    for member in alone:
        member.run(Job().progress)
    cohort.train_together(together)
    for one, other in zip(alone, together, strict=True):
        losses = [member.member().history["train_loss"].to_numpy() for member in (one, other)]
        np.testing.assert_allclose(*losses, rtol=1e-5)


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


def test_dropout_draws_from_the_members_own_numbers(images):
    settings = MemberTraining(architecture=KINDS[0])
    runs = []
    for disturb in (False, True):
        member = Training(images, PLAN, settings)
        if disturb:
            torch.manual_seed(99)
        member.run(Job().progress)
        runs.append(member.member().weights)
    assert np.array_equal(*runs)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if not isinstance(kind, str) and kind["name"] != "vit"], ids=str
)
def test_an_exported_zoo_is_recognised_with_its_activation(kind, images, tmp_path):
    settings = MemberTraining(architecture=kind)
    train_member(images, tmp_path / "a.h5", {**PLAN, "max_epoch": 2}, settings)
    write_index([tmp_path / "a.h5"], tmp_path / "train.h5")
    export_zoo([tmp_path / "train.h5"], tmp_path / "theirs")
    done = import_zoo(tmp_path / "theirs", tmp_path / "ours", ImportOptions(shares=(1, 0, 0)))
    before, after = read_member(tmp_path / "a.h5"), read_member(next((tmp_path / "ours" / "members").iterdir()))
    assert np.array_equal(before.weights, after.weights) and after.layout.entries == before.layout.entries
    assert done.recognised["architecture"] == kind["name"]
    assert after.layout.activation == before.layout.activation == settings.architecture.activation
    columns = settings.architecture.columns()
    assert {key: after.plan[key] for key in columns} == columns
    network_for(after.layout)


@pytest.mark.parametrize("kind", ["cnn-small", "cnn-large", "mlp", "vit", "timm:resnet10t", "torchvision:mnasnet0_5"])
def test_a_run_can_be_planned(kind):
    run = Run({"run": "a", "images": {"size": 32}, "zoo": {"architecture": kind}})
    assert run.layout.classes == run.config.zoo.classes_per_task and run.layout.image_size == 32
