"""Killed jobs that resume have bit-identical results."""

import io
import logging
import pickle

import h5py
import pandas as pd
import pytest
import torch
from torch import nn

from tests.conftest import plan_row
from tests.networks import resnet18_network
from wsl.jobs.job import Job
from wsl.jobs.progress import Progress
from wsl.training import fitting
from wsl.training.fitting import fit
from wsl.training.recipe import Recipe
from wsl.zoo import backbone, cohort, training
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.backbone import train_backbone
from wsl.zoo.cohort import train_cohort
from wsl.zoo.settings import MemberTraining
from wsl.zoo.start_settings import ClassifierTraining

TRAINING = MemberTraining(architecture={"width": 2}, schedule="cosine", augment=True, snapshots=[0, 2, "max"])


class KilledError(Exception):
    """Stands for a signal that jobs cannot catch."""


@pytest.fixture
def progress(tmp_path):
    """Keeps every state: ``progress(key)``."""
    return lambda key="same": Progress(tmp_path / "out", key, seconds=0)


@pytest.fixture
def dies(monkeypatch):
    """Makes the n-th call of a function raise ``KilledError``: ``dies(module, name, n)``."""

    def patch(module, name: str, calls: int) -> None:
        original, left = getattr(module, name), [calls]

        def call(*arguments, **named):
            left[0] -= 1
            if not left[0]:
                raise KilledError
            return original(*arguments, **named)

        monkeypatch.setattr(module, name, call)

    return patch


def test_a_state_is_loaded_only_under_the_same_key(progress):
    progress().save(lambda: {"weights": torch.arange(3.0), "epoch": 7})
    state = progress().load()
    assert state["epoch"] == 7 and torch.equal(state["weights"], torch.arange(3.0))
    assert progress("other").load() is None and progress().load("another part") is None
    progress().remove()
    assert progress().load() is None


def test_states_that_follow_too_soon_are_not_written(tmp_path):
    patient = Progress(tmp_path / "out", 0, seconds=1000)
    patient.save(lambda: {"epoch": 1})
    assert patient.load() is None
    patient.save(lambda: {"epoch": 2}, now=True)
    assert patient.load() == {"epoch": 2}


@pytest.mark.parametrize("content", [b"", b"torn", "half", "hostile"])
def test_a_state_that_cannot_be_read_is_reported_and_not_used(progress, content, tmp_path, caplog):
    class Hostile:
        def __reduce__(self):
            return open, (str(tmp_path / "made"), "w")

    progress().save(lambda: {"epoch": 1})
    path = progress().folder / "whole.pt"
    if content == "half":
        content = path.read_bytes()[: path.stat().st_size // 2]
    elif content == "hostile":
        stream = io.BytesIO()
        torch.save({"key": progress().key, "state": Hostile()}, stream, pickle_module=pickle)
        content = stream.getvalue()
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert progress().load() is None
    assert "whole.pt cannot be read" in caplog.text and not (tmp_path / "made").exists()


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_member_ends_as_if_it_had_not_been_killed(packed, progress, dies, tmp_path, optimizer, monkeypatch):
    images, plan = [packed[name] for name in "012"], {**plan_row(), "optimizer": optimizer, "max_epoch": 4}
    train_cohort(images, tmp_path / "whole.h5", [plan], TRAINING)
    dies(training, "train_epoch", 4)
    with pytest.raises(KilledError):
        train_cohort(images, tmp_path / "again.h5", [plan], TRAINING, job=Job(progress=progress()))
    monkeypatch.undo()
    seen = []
    epoch = training.train_epoch
    monkeypatch.setattr(training, "train_epoch", lambda *arguments: seen.append(1) or epoch(*arguments))
    train_cohort(images, tmp_path / "again.h5", [plan], TRAINING, job=Job(progress=progress()))
    assert len(seen) == 1  # the last of four epochs
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_a_cohorts_done_members_are_not_trained_again(packed, progress, dies, tmp_path, monkeypatch):
    plans = [{**plan_row(place, task), "max_epoch": 3} for place, task in enumerate(("012", "234", "413"))]
    settings = TRAINING.model_copy(update={"architecture": ARCHITECTURES["mlp"](dropout=0.1)})  # one after the other
    whole, again = tmp_path / "whole.h5", tmp_path / "again.h5"
    train_cohort(list(packed.values()), whole, plans, settings)
    dies(training, "train_epoch", 6)
    with pytest.raises(KilledError):
        train_cohort(list(packed.values()), again, plans, settings, job=Job(progress=progress()))
    monkeypatch.undo()
    seen, epoch = [], training.train_epoch
    monkeypatch.setattr(training, "train_epoch", lambda *arguments: seen.append(1) or epoch(*arguments))
    train_cohort(list(packed.values()), again, plans, settings, job=Job(progress=progress()))
    assert len(seen) == 9 - 5
    assert again.read_bytes() == whole.read_bytes()


def test_members_that_train_together_resume_together(packed, progress, dies, monkeypatch):
    plans = [{**plan_row(place), "max_epoch": 2 + place} for place in (0, 1)]

    def trained(**kept):
        both = [training.Training([packed[name] for name in "012"], plan, TRAINING) for plan in plans]
        cohort.train_together(both, **kept)
        return [training.member() for training in both]

    expected = trained()
    dies(cohort.Stack, "run_epoch", 2)
    with pytest.raises(KilledError):
        trained(progress=progress())
    monkeypatch.undo()
    for one, other in zip(trained(progress=progress()), expected, strict=True):
        assert one.weights == pytest.approx(other.weights, abs=1e-6)
        pd.testing.assert_frame_equal(one.history, other.history, rtol=1e-5)


def test_a_backbone_under_a_teacher_ends_as_if_it_had_not_been_killed(
    packed, class_means, progress, dies, tmp_path, monkeypatch
):
    files = {"packed": list(packed.values()), "taught": list(class_means.values())}
    files["network"] = resnet18_network(2, 3)
    files["settings"] = ClassifierTraining(epochs=3, learning_rate=0.05, weight_decay=5e-4, batch_size=32, teacher=1.0)
    train_backbone(out=tmp_path / "whole", **files)
    dies(backbone, "train_epoch", 3)
    with pytest.raises(KilledError):
        train_backbone(out=tmp_path / "again", **files, job=Job(progress=progress()))
    monkeypatch.undo()
    train_backbone(out=tmp_path / "again", **files, job=Job(progress=progress()))
    assert (tmp_path / "again").read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize(
    "changes", [{}, {"schedule": "cosine"}, {"schedule": "one-cycle"}, {"keep": "last"}, {"patience": 2}]
)
def test_a_fit_ends_as_if_it_had_not_been_killed(progress, dies, changes, monkeypatch):
    torch.manual_seed(0)
    inputs, targets = torch.randn(40, 5), torch.randn(40, 2)
    recipe = {"learning_rate": 0.01, "weight_decay": 0.1, "batch_size": 8, "epochs": 6, "patience": None}
    recipe = Recipe(**{**recipe, "schedule": "constant", "keep": "best", **changes})

    def fitted(**kept):
        torch.manual_seed(1)
        module, states = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 2)), {}

        def loss_of(part, rows):
            rows = rows + 30 if part == "validation" else rows
            return (module(inputs[rows]) - targets[rows]).square().mean()

        def after_epoch(epoch):
            states[epoch] = module[0].bias.detach().clone()

        table = fit(module, loss_of, {"train": 30, "validation": 10}, recipe, 0, after_epoch, **kept, saved=states)
        return table, module.state_dict(), states

    expected = fitted()
    dies(fitting._Fit, "evaluate", 4)
    with pytest.raises(KilledError):
        fitted(progress=progress())
    monkeypatch.undo()
    table, module, states = fitted(progress=progress())
    pd.testing.assert_frame_equal(table, expected[0])
    assert all(torch.equal(value, expected[1][name]) for name, value in module.items())
    assert states.keys() == expected[2].keys() and all(
        torch.equal(states[epoch], expected[2][epoch]) for epoch in states
    )


def test_only_the_results_of_a_finished_training_are_kept(packed, progress, tmp_path):
    plan = {**plan_row(), "max_epoch": 1}
    job = Job(progress=progress())
    train_cohort([packed[name] for name in "012"], tmp_path / "m.h5", [plan], TRAINING, job=job)
    state = progress().load("00000")
    assert "network" not in state and "optimizer" not in state
    with h5py.File(tmp_path / "m.h5") as file:
        assert torch.equal(state["weights"][-1], torch.from_numpy(file["weights"][-1]))
