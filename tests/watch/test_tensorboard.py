"""Event files, read back by TensorBoard's own reader."""

import sys
import time

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from wsl.errors import ConfigError
from wsl.watch.record import read_record
from wsl.watch.state import Logs, look
from wsl.watch.tensorboard import Events, curves


def near(*pairs):
    """Return (epoch, value) pairs that equal those with values in float32."""
    return [(epoch, pytest.approx(value)) for epoch, value in pairs]


@pytest.fixture
def write(folder, tmp_path):
    """Writes event files of the folder's histories, as a new watch does: ``write()``."""

    def run() -> None:
        events, logs = Events(tmp_path / "events"), Logs(folder.root)
        events.write(curves(look(folder.root, read_record(folder.root), logs), logs))
        events.close()

    return run


@pytest.fixture
def scalars(tmp_path):
    """Reads a curve's values by tag: ``scalars("members/00000")`` returns (epoch, value) pairs, or more of each."""

    def read(name: str, *keys: str) -> dict[str, list[tuple]]:
        keys = keys or ("step", "value")
        accumulator = EventAccumulator(str(tmp_path / "events" / name)).Reload()
        return {
            tag: [tuple(getattr(scalar, key) for key in keys) for scalar in accumulator.Scalars(tag)]
            for tag in accumulator.Tags()["scalars"]
        }

    return read


def test_all_values_of_a_member_are_written(folder, write, scalars):
    values = {"train_loss": 0.5, "train_accuracy": 0.75, "validation_loss": 0.625, "validation_accuracy": 0.875}
    folder.train("train_member/00000", (60, 0), (50, 1), member=0, **values)
    write()
    read = scalars("members/00000")
    assert read == {
        "loss/train": [(0, 0.5), (1, 0.5)],
        "accuracy/train": [(0, 0.75), (1, 0.75)],
        "loss/validation": [(0, 0.625), (1, 0.625)],
        "accuracy/validation": [(0, 0.875), (1, 0.875)],
    }


def test_a_cohort_has_a_curve_per_member(folder, write, scalars):
    folder.train("train_shared", (60, 1), (50, 2), member=7)
    path = folder.root / "logs/train_shared.jsonl"
    path.write_text(path.read_text() + path.read_text().splitlines()[0].replace("00007", "00008"))
    write()
    assert scalars("members/00007")["loss/train"] == near((1, 0.5), (2, 0.5))
    assert scalars("members/00008")["loss/train"] == near((1, 0.5))


def test_each_epoch_is_written_once_by_several_watches(folder, write, scalars):
    moment = time.time()
    for count in (1, 3, 3):
        folder.train("train_shared", *((time.time() - moment + 50 - epoch, epoch) for epoch in range(1, count + 1)))
        write()
    assert scalars("train_shared")["loss/train"] == near((1, 0.5), (2, 0.5), (3, 0.5))
    folder.train("train_shared", *((time.time() - moment + 50 - epoch, epoch) for epoch in (1, 2, 3, 4)))
    folder.finish("train_shared")
    write()
    assert scalars("train_shared")["loss/train"] == near((1, 0.5), (2, 0.5), (3, 0.5), (4, 0.5))


def test_a_watch_that_continues_writes_new_values(folder, tmp_path, scalars):
    events, logs, moment = Events(tmp_path / "events"), Logs(folder.root), time.time()
    for count in (1, 1, 3):
        epochs = ((time.time() - moment + 40 - epoch, epoch) for epoch in range(count))
        folder.train("train_member/00012", *epochs, member=12)
        events.write(curves(look(folder.root, read_record(folder.root), logs), logs))
        assert [epoch for epoch, _ in scalars("members/00012")["loss/train"]] == list(range(count))
    events.close()
    assert len(list((tmp_path / "events" / "members" / "00012").iterdir())) == 1


def test_times_are_those_of_the_epochs(folder, write, scalars):
    expected = time.time() - 3600
    folder.train("train_shared", (3600, 1))
    write()
    assert scalars("train_shared", "wall_time")["loss/train"] == [(pytest.approx(expected, abs=1),)]


def test_epochs_that_are_trained_again_replace_the_old_ones(folder, write, scalars):
    folder.train("train_shared", *((90 - epoch, epoch) for epoch in (1, 2, 3, 4)))
    write()
    time.sleep(1)  # names of event files begin with the second
    folder.train("train_shared", (8, 2), (7, 3), train_loss=0.1)
    write()
    write()
    assert scalars("train_shared")["loss/train"] == near((1, 0.5), (2, 0.1), (3, 0.1))


def test_jobs_without_a_history_have_no_curve(folder, write, tmp_path):
    folder.finish("train_member/00000", "train_shared")
    write()
    assert not (tmp_path / "events").exists()


def test_without_tensorboard_the_error_names_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    with pytest.raises(ConfigError, match=r"pip install 'weight-space-learning\[trackers\]'"):
        Events(tmp_path)
