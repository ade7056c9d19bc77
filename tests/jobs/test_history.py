"""Histories: exact values, continued after a kill, and errors that do not fail the job."""

import json

import pandas as pd
import pytest
import torch
from torch import nn

from tests.conftest import plan_row
from tests.networks import resnet18_network
from wsl.jobs.history import History, history_of, history_rows
from wsl.jobs.job import Job
from wsl.jobs.progress import Progress
from wsl.training.epoch_loop import EpochLoop
from wsl.training.fitting import fit
from wsl.training.recipe import Recipe
from wsl.zoo.backbone import train_backbone
from wsl.zoo.cohort import train_cohort
from wsl.zoo.member import read_member
from wsl.zoo.settings import MemberTraining
from wsl.zoo.start_settings import ClassifierTraining

VALUES = ["train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]


@pytest.fixture
def rows(tmp_path):
    """Reads the history: ``rows()``."""
    return lambda: list(history_rows((tmp_path / "job.jsonl").read_text()))


@pytest.fixture
def progress(tmp_path):
    """Returns the progress of a job that starts now: ``progress()``."""
    return lambda: Progress(tmp_path / "out", "key", seconds=0, history=History(tmp_path / "job.jsonl"))


def test_a_history_is_written_beside_its_log():
    assert history_of("results/x/logs/train_cohort/00017.log") == "results/x/logs/train_cohort/00017.jsonl"


def test_a_member_writes_its_exact_history(packed, progress, rows, tmp_path):
    plan = {**plan_row(17), "max_epoch": 3}
    settings = MemberTraining(architecture={"width": 2}, schedule="cosine", augment=True, snapshots=[0, "max"])
    images = [packed[name] for name in "012"]
    train_cohort(images, tmp_path / "m.h5", [plan], settings, job=Job(progress=progress()))
    assert [(row["member"], row["epochs"]) for row in rows()] == [("00017", 3)] * 4
    table = pd.DataFrame(rows())[["epoch", *VALUES]]
    pd.testing.assert_frame_equal(table, read_member(tmp_path / "m.h5").history, check_dtype=False)


def test_a_fit_writes_its_exact_history(progress, rows):
    module, inputs = nn.Linear(3, 1), torch.randn(12, 3)
    history = fit(
        module,
        lambda part, indices: module(inputs[indices]).square().mean(),
        {"train": 12, "validation": 6},
        Recipe(learning_rate=0.1, batch_size=4, epochs=3),
        0,
        lambda epoch: {"train_chance": 2.0},
        progress(),
    )
    table = pd.DataFrame(rows())
    assert table["epochs"].tolist() == [3, 3, 3] and "member" not in table
    expected = ["epoch", "train_loss", "validation_loss", "train_chance"]
    pd.testing.assert_frame_equal(table[expected], history[expected])


def test_a_backbone_writes_its_history(packed, progress, rows, tmp_path):
    recipe = {"learning_rate": 0.05, "weight_decay": 0.0, "batch_size": 32, "augment": False, "teacher": 0.0}
    settings, job = ClassifierTraining(epochs=2, **recipe), Job(progress=progress())
    train_backbone([packed[name] for name in "012"], tmp_path / "start", resnet18_network(2, 3), settings, job=job)
    assert [row["epoch"] for row in rows()] == [1, 2]
    assert 0 <= rows()[0]["train_accuracy"] <= 1 and rows()[0]["train_loss"] > 0


class Counting(EpochLoop):
    """A training whose loss is the number of the attempt."""

    def __init__(self, attempt: int, **more):
        self.attempt = attempt
        super().__init__(4, {}, **more)

    def train(self):
        return {"train_loss": float(self.attempt)}


def epochs_of(rows):
    return [(row["epoch"], row["train_loss"]) for row in rows]


def test_a_resumed_job_continues_its_history(progress, rows, tmp_path):
    first = Counting(1)
    first.begin(progress())
    for _ in range(2):
        first.close(first.train())
    first._progress.seconds = 1000  # the third epoch has a row and no state
    first.close(first.train())
    with open(tmp_path / "job.jsonl", "a") as file:
        file.write('{"time": 1.0, "ep')
    Counting(2).run(progress())
    assert epochs_of(rows()) == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)]


def test_a_job_that_starts_again_starts_its_history_again(progress, rows):
    done = progress()
    Counting(1).run(done)
    done.remove()
    Counting(2).run(progress())
    assert epochs_of(rows()) == [(epoch, 2.0) for epoch in (1, 2, 3, 4)]


def test_members_of_one_job_have_rows_of_their_own(progress, rows):
    job = progress()
    for attempt, member in enumerate(("00000", "00001")):
        Counting(attempt, member=member).run(job)
    Counting(9, member="00001").run(progress())  # its state is that of a finished training
    assert [row["member"] for row in rows()] == ["00000"] * 4 + ["00001"] * 4
    assert epochs_of(rows())[4:] == [(epoch, 1.0) for epoch in (1, 2, 3, 4)]


def test_values_that_are_not_finite_are_written_before_the_job_fails(progress, rows):
    with pytest.raises(FloatingPointError, match="epoch 1"):
        Counting(float("nan")).run(progress())
    assert rows()[0]["train_loss"] != rows()[0]["train_loss"]


@pytest.mark.parametrize("path", ["/dev/full", "/nowhere/job.jsonl", "/"])
def test_a_history_that_cannot_be_written_does_not_fail_the_job(path):
    History(path).add(1, 2, {"train_loss": 0.5})


@pytest.mark.parametrize("path", ["/nowhere/job.jsonl", "/"])
def test_a_history_that_cannot_be_read_does_not_fail_the_job(path):
    History(path).cut(-1)
    History(path).clear()


@pytest.mark.parametrize("line", ["", "[]", "3", '{"epoch": 1}', '{"epoch": 1, "epochs": 2, "time"', "\x00\x00"])
def test_lines_that_are_not_rows_are_left_out(line):
    row = json.dumps({"time": 1.0, "epoch": 1, "epochs": 2})
    assert len(list(history_rows(f"{row}\n{line}\n{row}\n"))) == 2
