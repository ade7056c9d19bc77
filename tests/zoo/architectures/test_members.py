"""Members of networks with dropout, and their way to other programs and back; see also tests/stages."""

import numpy as np
import pytest
import torch

from tests.conftest import plan_row
from wsl.images.packing import pack_class
from wsl.images.settings import Packing
from wsl.jobs.job import Job
from wsl.zoo import cohort
from wsl.zoo.cohort import train_cohort
from wsl.zoo.foreign.exporting import export_zoo
from wsl.zoo.foreign.importing import import_zoo
from wsl.zoo.foreign.options import ImportOptions
from wsl.zoo.index import write_index
from wsl.zoo.member import read_member
from wsl.zoo.network import network_for
from wsl.zoo.settings import MemberTraining
from wsl.zoo.training import Training

SIZE = 28
KINDS = [
    {"name": "cnn-small", "channels": 1, "activation": "tanh", "dropout": 0.1},
    {"name": "cnn-small", "channels": 3, "initialisation": "xavier_normal"},
    {"name": "cnn-large", "activation": "gelu"},
    {"name": "mlp", "widths": [12, 8]},
    {"name": "resnet18", "width": 2, "activation": "silu"},
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


def test_networks_that_draw_numbers_are_trained_one_after_the_other(images, tmp_path, monkeypatch):
    settings = MemberTraining(architecture=KINDS[0])
    together = []
    monkeypatch.setattr(cohort, "train_together", lambda *given: together.append(given))
    real = cohort.Training
    monkeypatch.setattr(cohort, "Training", lambda *given: real(*given[:4], "cpu", *given[5:]))
    cohort.train_cohort(images, tmp_path / "a.h5", [PLAN, {**PLAN, "member": 99}], settings, job=Job("cuda"))
    train_cohort(images, tmp_path / "b.h5", [PLAN], settings)
    assert not together
    one, other = (read_member(tmp_path / name, PLAN["member"]) for name in ("a.h5", "b.h5"))
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


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_exported_zoo_is_recognised_with_its_activation(kind, images, tmp_path):
    settings = MemberTraining(architecture=kind)
    train_cohort(images, tmp_path / "a.h5", [{**PLAN, "max_epoch": 2}], settings)
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
