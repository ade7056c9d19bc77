"""What trackers are given, by a tracker that records it."""

import json
import math
import os
import signal
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from wsl.cli.main import app
from wsl.errors import ConfigError, DataError
from wsl.files.hdf5 import put_table
from wsl.paths import Paths
from wsl.watch.curves import Curve
from wsl.watch.record import read_record
from wsl.watch.state import Epoch, Logs, look
from wsl.watch.trackers.base import TRACKERS, Tracker, flat, numbers_of
from wsl.watch.tracking import read_results, tracking, with_strongest
from wsl.watch.written import Written


class Recording(Tracker):
    name = "recording"
    calls: list = []  # noqa: RUF012
    fails = False

    def log(self, news):
        if self.fails:
            raise RuntimeError("no answer from https://user:secret@host/x\nmore")
        self.calls.append((news.title, [epoch.epoch for epoch in news.epochs], news.curve.done))

    def finish(self, results, attempt):
        self.calls.append((results.numbers, results.config, attempt))

    def close(self):
        self.calls.append("closed")

    def view(self):
        return "look"


@pytest.fixture
def calls(monkeypatch):
    monkeypatch.setitem(TRACKERS._entries, "recording", Recording)
    monkeypatch.setattr(Recording, "calls", [])
    return Recording


@pytest.fixture
def update(folder, tmp_path, calls):
    """Feeds the recording tracker as a new process does, and returns what it got."""

    def run(config=None):
        calls.calls.clear()
        with tracking(folder.root, ["recording"], tmp_path) as kept:
            logs = Logs(folder.root)
            kept.update(look(folder.root, read_record(folder.root), logs), logs)
            if config is not None:
                kept.finish(config)
        assert calls.calls.pop() == "closed"
        return list(calls.calls)

    return run


@pytest.fixture
def history(folder):
    """Writes a history with fixed times: ``history("train_shared", 1, 2)``; ``later`` moves the times."""

    def write(job, *epochs, later=0):
        folder.train(job)
        rows = [{"time": 1e9 + epoch + later, "epoch": epoch, "epochs": 9, "train_loss": 0.5} for epoch in epochs]
        folder.write(f"logs/{job}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    return write


def test_later_processes_get_only_what_is_new(folder, history, update):
    history("train_shared", 1, 2)
    assert update() == [("train_shared", [1, 2], False)]
    assert update() == []
    history("train_shared", 1, 2, 3)
    assert update() == [("train_shared", [3], False)]
    folder.step("ends", "train_shared")
    folder.write("shared/encoder.safetensors")
    folder.write("shared/history.csv")
    assert update() == [("train_shared", [], True)]
    assert update() == []


def test_a_training_that_is_repeated_starts_another_attempt(history, update):
    history("train_shared", 1, 2, 3)
    update()
    history("train_shared", 1, 2)  # resumed from a state after epoch 2
    assert update() == [("train_shared (2)", [1, 2], False)]
    history("train_shared", 1, 2, 3, later=50)
    assert update() == [("train_shared (3)", [1, 2, 3], False)]


def test_a_killed_process_leaves_a_usable_file(tmp_path):
    path, curve = (
        tmp_path / "made" / "written.jsonl",
        Curve("a", [Epoch(1, 2, 5.0, {}), Epoch(2, 2, 6.0, {})], False, 0),
    )
    written = Written(path)
    written.add(written.news(curve))
    key = written.key
    path.write_text(path.read_text() + '{"place": "", "na')
    written = Written(path)
    assert written.news(curve) is None and written.key == key and written.rows == 2
    written.add_results("digest", 1)
    assert Written(path).attempt_of_results("digest") is None and Written(path).attempt_of_results("other") == 2
    assert Written(path, "elsewhere").news(curve).begins


def test_results_are_written_once_and_again_if_they_change(folder, update):
    folder.write("summary.json", json.dumps({"chance": 0.25, "accuracy": {"seen": {"flow": 0.5}}, "names": ["a"]}))
    numbers = {"chance": 0.25, "accuracy/seen/flow": 0.5}
    assert update({"seed": 1}) == [(numbers, {"seed": 1}, 1)]
    assert update({"seed": 1}) == []
    assert update({"seed": 2}) == [(numbers, {"seed": 2}, 2)]


def test_errors_of_a_tool_name_it_without_passwords(history, update, calls, monkeypatch):
    monkeypatch.setattr(calls, "fails", True)
    history("train_shared", 1)
    with pytest.raises(
        DataError, match=r"recording failed \(RuntimeError: no answer from https://host/x\); what"
    ) as got:
        update()
    assert "secret" not in str(got.value)
    monkeypatch.setattr(calls, "fails", False)
    assert update() == [("train_shared", [1], False)]


def test_sigterm_closes_the_trackers(folder, history, calls, tmp_path, monkeypatch):
    monkeypatch.setattr(calls, "log", lambda self, news: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    history("train_shared", 1)
    ended = CliRunner().invoke(app, ["track", str(folder.root), "--to", "recording", "--out", str(tmp_path)])
    assert ended.exit_code == 143 and calls.calls == ["closed"] and signal.getsignal(signal.SIGTERM) == before


def test_a_run_that_has_ended_is_sent_at_once(folder, history, calls, tmp_path):
    history("train_shared", 1)
    folder.ended()
    ended = CliRunner().invoke(app, ["track", str(folder.root), "--to", " recording,", "--out", str(tmp_path)])
    assert ended.exit_code == 1 and calls.calls == [("train_shared", [1], False), "closed"]
    assert "recording: look" in ended.output and "Resume: snakemake" in ended.output


def test_a_finished_run_is_sent_with_its_results(folder, calls, tmp_path):
    folder.finish(*(seen.name for seen in read_record(folder.root).jobs))
    folder.write("report.html", '<details id="config"><pre>zoo:\n  members: 8\nname: a&lt;b</pre></details>')
    arguments = ["track", str(folder.root), "--to", "recording", "--out", str(tmp_path)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert calls.calls == [({}, {"zoo": {"members": 8}, "name": "a<b"}, 1), "closed"]


def test_two_processes_do_not_write_to_one_place(folder, tmp_path, calls):
    with tracking(folder.root, ["recording"], tmp_path):
        again = tracking(folder.root, ["recording"], tmp_path)
        with pytest.raises(ConfigError, match=r"another `wsl track` writes to .*made-up"):
            again.__enter__()
        with tracking(folder.root, ["recording"], tmp_path / "other"):
            pass


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow", "trackio"])
def test_without_its_package_the_error_names_the_remedy(name, folder, tmp_path, monkeypatch):
    modules = ("tensorboard.compat.proto.event_pb2", "wandb", "mlflow", "mlflow.entities", "trackio")
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    message = rf"{name} needs .*run `pip install {name}.*\[trackers\]'`"
    with pytest.raises(ConfigError, match=message), tracking(folder.root, [name], tmp_path):
        pass


def test_an_unknown_tracker_is_refused_with_the_known_ones(folder, tmp_path):
    with (
        pytest.raises(ConfigError, match=r"did you mean tensorboard.*mlflow, tensorboard, trackio, wandb"),
        tracking(folder.root, ["tensorbord"], tmp_path),
    ):
        pass


def test_nested_settings_and_numbers_become_flat():
    assert flat({"a": {"b": 1, "c": {}}, "d": [2]}, ".") == {"a.b": 1, "a.c": {}, "d": [2]}
    assert numbers_of({"a": {"b": 1, "c": math.nan}, "d": [2], "e": "x", "f": None}) == {"a/b": 1.0}


def test_the_strongest_baseline_of_each_comparison_is_marked():
    rows = [("seen", "trained", 0.9), ("seen", "nearest", 0.4), ("seen", "mean", 0.6), ("seen", "flow", 0.7)]
    rows += [("unseen", "nearest", 0.5), ("unseen", "mean", 0.3)]
    table = pd.DataFrame(rows, columns=["classes", "sampler", "accuracy"]).assign(run="a", images="all", epochs=0)
    marked = with_strongest(table)
    chosen = marked[marked["strongest_baseline"]]
    # `trained` is a reference, and samplers are what the baselines are compared with.
    assert chosen[["classes", "sampler"]].to_numpy().tolist() == [["seen", "mean"], ["unseen", "nearest"]]


def test_latents_are_those_of_snapshots_in_their_own_class_order(tmp_path):
    paths = Paths(str(tmp_path))
    for part, members in (("train", [0, 0, 3]), ("test", [12])):
        path = tmp_path / "weights" / "latents" / f"{part}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame({"member": members, "task": "a/b", "order": [0, 1, 0][: len(members)]})
        values = np.arange(2.0 * len(members)).reshape(-1, 2)
        if part == "train":
            values[2, 0] = np.nan
        with h5py.File(path, "w") as file:
            file["latents"] = values
            put_table(file, "snapshots", table)
    results = read_results(paths, {}, "digest")
    assert results.latents.tolist() == [[0, 1], [0, 1]]
    assert results.snapshots.to_dict("list") == {
        "part": ["train", "test"],
        "member": ["00000", "00012"],
        "task": ["a/b", "a/b"],
    }
    assert read_results(Paths(str(tmp_path / "none")), {}, "digest").latents is None
