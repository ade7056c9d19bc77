"""Event files, read back by TensorBoard's own reader."""

import logging
import shutil
import sys
import time

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.watch.conftest import stamp
from wsl.errors import ConfigError
from wsl.watch.curves import curves
from wsl.watch.events import Events
from wsl.watch.logs import Logs
from wsl.watch.record import read_record
from wsl.watch.state import look
from wsl.zoo.member import read_member

LOSSES = "train 0.5000, validation 0.2500"


def near(*pairs):
    """Return (epoch, value) pairs that equal those with values in float32."""
    return [(epoch, pytest.approx(value)) for epoch, value in pairs]


@pytest.fixture
def write(folder, tmp_path):
    """Writes event files of what the folder holds, as a watch that was started just now does: ``write()``."""

    def run() -> None:
        events, logs = Events(tmp_path / "events"), Logs(folder.root)
        events.write(curves(folder.root, look(folder.root, read_record(folder.root), logs), logs))
        events.close()

    return run


@pytest.fixture
def scalars(tmp_path):
    """Reads a curve's values by tag: ``scalars("members/00000")`` returns (epoch, value) pairs, or more of each."""

    def read(name: str, *keys: str) -> dict[str, list[tuple]]:
        keys = keys or ("step", "value")
        accumulator = EventAccumulator(str(tmp_path / "events" / name)).Reload()
        return {
            tag: [tuple(getattr(one, key) for key in keys) for one in accumulator.Scalars(tag)]
            for tag in accumulator.Tags()["scalars"]
        }

    return read


def test_a_trained_member_is_exact(folder, zoo, write, scalars):
    folder.write("zoo/members/00000.h5")
    shutil.copy(zoo.members[0], folder.root / "zoo" / "members" / "00000.h5")
    folder.say("train_member/00000", (60, f"INFO member 0, epoch 1: {LOSSES}"))
    write()
    history = read_member(zoo.members[0]).history
    for part in ("train", "validation"):
        for kind in ("loss", "accuracy"):
            read = scalars("members/00000")[f"{kind}/{part}"]
            assert [epoch for epoch, _ in read] == history["epoch"].tolist()
            assert [value for _, value in read] == pytest.approx(history[f"{part}_{kind}"].tolist(), rel=1e-6)
    assert len(scalars("members/00000")) == 4


def test_each_epoch_once_however_often_a_watch_is_started(folder, write, scalars):
    times = {epoch: stamp(time.time() - 50 + epoch) for epoch in (1, 2, 3)}
    lines = [f"{times[epoch]} INFO epoch {epoch} of 9: losses 0.{epoch}, validation 0.25" for epoch in times]
    for count in (1, 3, 3):
        folder.say("train_shared", *lines[:count])
        write()
    assert scalars("train_shared")["loss/train"] == near((1, 0.1), (2, 0.2), (3, 0.3))
    history = pd.DataFrame({"epoch": [1, 2, 3, 4], "train_loss": 0.5, "validation_loss": 0.25, "train_accuracy": 1.0})
    folder.write("shared/encoder.safetensors")
    folder.write("shared/history.csv", history.to_csv(index=False))
    write()
    read = scalars("train_shared")
    assert read["loss/train"] == near((1, 0.1), (2, 0.2), (3, 0.3), (4, 0.5))
    assert read["accuracy/train"] == [(epoch, 1.0) for epoch in (1, 2, 3, 4)]


def test_a_watch_that_goes_on_writes_what_is_new(folder, tmp_path, scalars):
    events, logs = Events(tmp_path / "events"), Logs(folder.root)
    for count in (1, 1, 3):
        folder.say(
            "train_member/00012", *((40 - place, f"INFO member 12, epoch {place}: {LOSSES}") for place in range(count))
        )
        events.write(curves(folder.root, look(folder.root, read_record(folder.root), logs), logs))
        assert [epoch for epoch, _ in scalars("members/00012")["loss/train"]] == list(range(count))
    events.close()
    assert len(list((tmp_path / "events" / "members" / "00012").iterdir())) == 1


def test_times_are_those_of_the_epochs(folder, write, scalars):
    folder.say("train_shared", "2025-03-04 05:06:07,250 INFO epoch 1 of 9: losses 0.5, validation 0.25")
    write()
    expected = pd.Timestamp("2025-03-04 05:06:07.250").to_pydatetime().timestamp()
    assert scalars("train_shared", "wall_time")["loss/train"] == [(pytest.approx(expected, abs=1e-3),)]


def test_epochs_that_are_trained_again_take_the_place_of_the_old_ones(folder, write, scalars):
    folder.say(
        "train_shared",
        *((90 - epoch, f"INFO epoch {epoch} of 9: losses 0.5, validation 0.5") for epoch in (1, 2, 3, 4)),
    )
    write()
    folder.say(
        "train_shared", *((9 - epoch, f"INFO epoch {epoch} of 9: losses 0.1, validation 0.1") for epoch in (2, 3))
    )
    write()
    write()
    assert scalars("train_shared")["loss/train"] == near((1, 0.5), (2, 0.1), (3, 0.1))


def test_a_table_of_several_trainings_is_no_curve(folder, write, tmp_path):
    folder.finish("train_shared")
    folder.write("shared/history.csv", "epoch,member,train_loss\n1,0,0.5\n1,1,0.5\n")
    write()
    assert not (tmp_path / "events").exists()


def test_a_torn_history_waits(folder, write, tmp_path, caplog):
    folder.finish("train_member/00000", "train_shared")  # neither is a history
    with caplog.at_level(logging.WARNING):
        write()
    assert not (tmp_path / "events").exists() and "00000.h5" in caplog.text and "history.csv" in caplog.text


def test_without_tensorboard_the_remedy_is_said(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    with pytest.raises(ConfigError, match=r"pip install 'wsl\[tensorboard\]'"):
        Events(tmp_path)
