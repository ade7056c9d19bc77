"""Logs are read as the jobs write them."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from tests.networks import resnet18_network
from wsl.fitting import fit
from wsl.recipe import Recipe
from wsl.watch.logs import Log, Logs
from wsl.zoo.backbone import train_backbone
from wsl.zoo.member import read_member
from wsl.zoo.settings import ClassifierTraining


@pytest.fixture
def logged(tmp_path):
    """Reads what was logged meanwhile: ``logged()``; in the format of jobs."""
    handler = logging.FileHandler(tmp_path / "job.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("wsl")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lambda: Logs(tmp_path).read("job.log")
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_epochs_of_a_member(train, logged, tmp_path):
    member = read_member(train(tmp_path / "m.h5", member=17, max_epoch=3, snapshots=[0, "max"]))
    epochs = logged().epochs
    assert [epoch.member for epoch in epochs] == ["00017"] * 4
    assert [epoch.epoch for epoch in epochs] == member.history["epoch"].tolist() == [0, 1, 2, 3]
    for name in ("train_loss", "validation_loss"):
        assert [epoch.values[name] for epoch in epochs] == pytest.approx(member.history[name].tolist(), abs=6e-5)


def test_epochs_of_a_fit(logged):
    module, inputs = nn.Linear(3, 1), torch.randn(12, 3)
    recipe = Recipe(learning_rate=0.1, batch_size=4, epochs=3)
    history = fit(
        module, lambda part, rows: module(inputs[rows]).square().mean(), {"train": 12, "validation": 6}, recipe, 0
    )
    epochs = logged().epochs
    assert [(epoch.epoch, epoch.of, epoch.member) for epoch in epochs] == [(1, 3, None), (2, 3, None), (3, 3, None)]
    said = pd.DataFrame([epoch.values for epoch in epochs])
    pd.testing.assert_frame_equal(said, history[list(said)], rtol=1e-4)


def test_epochs_of_a_backbone(packed, logged, tmp_path):
    recipe = {"learning_rate": 0.05, "weight_decay": 0.0, "batch_size": 32, "augment": False, "teacher": 0.0}
    settings = ClassifierTraining(epochs=2, **recipe)
    train_backbone([packed[name] for name in "012"], tmp_path / "start", resnet18_network(2, 3), settings)
    epochs = logged().epochs
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    assert set(epochs[0].values) == {"train_loss", "train_accuracy"} and 0 <= epochs[0].values["train_accuracy"] <= 1


def test_times_are_those_of_the_lines():
    (epoch,) = Log("2025-03-04 05:06:07,250 INFO epoch 1 of 2: losses 0.5, validation 0.25\n", 0.0).epochs
    expected = pd.Timestamp("2025-03-04 05:06:07.250").to_pydatetime().timestamp()
    assert epoch.time == pytest.approx(expected, abs=1e-6)


def test_half_a_line_is_none_yet():
    whole = "2025-03-04 05:06:07,250 INFO member 3, epoch 1: train 0.5000, validation 0.2500\n"
    assert len(Log(whole + whole[:-1].replace("epoch 1", "epoch 2"), 0.0).epochs) == 1


def test_the_error_is_the_last_line_of_a_job_that_failed(tmp_path):
    code = "from wsl.jobs import job\nwith job('job.log'): raise FloatingPointError('the loss turned non-finite')\n"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False).returncode == 1
    assert Logs(tmp_path).read("job.log").error == "FloatingPointError: the loss turned non-finite"
    assert Log("2025-03-04 05:06:07,250 WARNING member 3 diverged\n", 0.0).error is None


def test_a_fault_that_a_user_can_mend_ends_a_job_by_its_message_alone(tmp_path):
    code = (
        "from wsl.errors import DataError\nfrom wsl.jobs import job\nimport logging\n"
        "with job('job.log'):\n    logging.warning('café')\n    raise DataError('naïve.h5 is empty; restore it')"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "C",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "na\\xefve.h5 is empty; restore it\n")
    log = (tmp_path / "job.log").read_text(encoding="utf-8")
    assert "WARNING café\n" in log and "Traceback" not in log
    assert Logs(tmp_path).read("job.log").error == "naïve.h5 is empty; restore it"


def test_an_error_of_several_lines_is_told_whole(tmp_path):
    code = (
        "from wsl.jobs import job\n"
        "with job('job.log'):\n"
        "    try: 1 / 0\n"
        "    except ZeroDivisionError as error: raise ValueError('two faults:\\n  one\\n  two') from error\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False, capture_output=True)
    assert Logs(tmp_path).read("job.log").error == "ValueError: two faults: one two"


def test_warnings_are_there_once_and_without_their_place():
    text = (
        "2025-03-04 05:06:07,250 WARNING the zoo is small\n"
        "2025-03-04 05:06:08,250 WARNING /usr/lib/x.py:12: UserWarning: slow\n  code()\n"
        "2025-03-04 05:06:09,250 WARNING the zoo is small\n"
        "2025-03-04 05:06:09,250 INFO no WARNING here\n"
    )
    assert Log(text, 0.0).warnings == ["the zoo is small", "UserWarning: slow"]


def test_a_log_is_read_again_once_it_has_changed(folder):
    logs = Logs(folder.root)
    assert logs.read("logs/train_shared.log") is None
    folder.say("train_shared", (5, "INFO epoch 1 of 9: losses 0.5, validation 0.25"))
    first = logs.read("logs/train_shared.log")
    assert logs.read("logs/train_shared.log") is first
    folder.say("train_shared", (5, "INFO epoch 2 of 9: losses 0.5, validation 0.25"))
    assert logs.read("logs/train_shared.log").epochs[0].epoch == 2
    (folder.root / "logs/train_shared.log").unlink()
    assert logs.read("logs/train_shared.log") is None


def test_an_error_that_a_user_can_mend_is_its_message():
    text = "2025-03-04 05:06:07,250 ERROR the job failed\nimages/cat.h5 cannot be written (disk full)\n"
    assert Log(text, 0.0).error == "images/cat.h5 cannot be written (disk full)"
