"""Event files and the files of the Projector, read back by TensorBoard's own readers."""

import io
import time

import numpy as np
import pandas as pd
import pytest
from google.protobuf import text_format
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from tensorboard.util.tensor_util import make_ndarray

from wsl.watch.record import read_record
from wsl.watch.state import Logs, look
from wsl.watch.trackers.base import Results
from wsl.watch.tracking import tracking


def near(*pairs):
    """Return (epoch, value) pairs that equal those with values in float32."""
    return [(epoch, pytest.approx(value)) for epoch, value in pairs]


@pytest.fixture
def write(folder, tmp_path):
    """Writes event files of the folder's histories, as a new process does: ``write()``."""

    def run() -> None:
        with tracking(folder.root, ["tensorboard"], tmp_path) as kept:
            logs = Logs(folder.root)
            kept.update(look(folder.root, read_record(folder.root), logs), logs)

    return run


@pytest.fixture
def events(tmp_path):
    """Reads the events of a curve, or of the results."""
    return lambda name="": EventAccumulator(str(tmp_path / "tensorboard" / "made-up" / name)).Reload()


@pytest.fixture
def scalars(events):
    """Reads a curve's values by tag: ``scalars("members/00000")`` returns (epoch, value) pairs, or more of each."""

    def read(name: str, *keys: str) -> dict[str, list[tuple]]:
        accumulator, keys = events(name), keys or ("step", "value")
        return {
            tag: [tuple(getattr(scalar, key) for key in keys) for scalar in accumulator.Scalars(tag)]
            for tag in accumulator.Tags()["scalars"]
        }

    return read


def test_all_values_of_a_member_are_written(folder, write, scalars):
    values = {"train_loss": 0.5, "train_accuracy": 0.75, "validation_loss": 0.625, "validation_accuracy": 0.875}
    folder.train("train_cohort/00000", (60, 0), (50, 1), member=0, **values)
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


def test_one_process_follows_a_run_in_one_file(folder, tmp_path, scalars):
    with tracking(folder.root, ["tensorboard"], tmp_path) as kept:
        logs, start = Logs(folder.root), time.time() - 100
        rows = [{"time": start + epoch, "member": "00012", "epoch": epoch, "epochs": 5} for epoch in range(3)]
        for count in (1, 1, 3):
            folder.train("train_cohort/00012", member=12)
            lines = pd.DataFrame(rows[:count]).assign(train_loss=0.5)
            folder.write("logs/train_cohort/00012.jsonl", lines.to_json(orient="records", lines=True))
            kept.update(look(folder.root, read_record(folder.root), logs), logs)
            assert [epoch for epoch, _ in scalars("members/00012")["loss/train"]] == list(range(count))
    assert len(list((tmp_path / "tensorboard/made-up/members/00012").iterdir())) == 1


def test_jobs_without_a_history_have_no_curve(folder, write, tmp_path):
    folder.finish("train_cohort/00000", "train_shared")
    write()
    assert list(tmp_path.rglob("events.out.tfevents.*")) == []


def test_results_are_scalars_texts_and_points_of_the_projector(folder, tmp_path, events):
    latents = np.float32([[0.25, -1.5, 3], [1e-3, 0, 2]])
    snapshots = pd.DataFrame({"part": ["train", "test"], "task": ["a\tb/c", "d/e"], "validation_accuracy": [0.5, 0.75]})
    table = pd.DataFrame({"sampler": ["flow|x", "mean"], "accuracy": [0.5, 0.25]})
    config = {"zoo": {"members": 8}}
    results = Results("digest", config, {"accuracy/seen/flow": 0.5}, {"accuracy": table}, latents, snapshots)
    with tracking(folder.root, ["tensorboard"], tmp_path) as kept:
        kept.trackers[0].finish(results, 1)
    read = events()
    assert [(one.step, one.value) for one in read.Scalars("accuracy/seen/flow")] == [(1, 0.5)]
    texts = {tag: make_ndarray(read.Tensors(tag)[0].tensor_proto).item().decode() for tag in ("config", "accuracy")}
    assert '"members": 8' in texts["config"]
    assert texts["accuracy"].splitlines() == [
        "| sampler | accuracy |",
        "| --- | --- |",
        "| flow/x | 0.5 |",
        "| mean | 0.25 |",
    ]
    assert read.SummaryMetadata("accuracy").plugin_data.plugin_name == "text"
    own = tmp_path / "tensorboard" / "made-up"
    (one,) = text_format.Parse((own / "projector_config.pbtxt").read_text(), ProjectorConfig()).embeddings
    assert list(one.tensor_shape) == [2, 3]
    assert np.loadtxt(own / one.tensor_path, dtype=np.float32).tolist() == latents.tolist()
    metadata = pd.read_csv(io.StringIO((own / one.metadata_path).read_text()), sep="\t")
    assert metadata.to_dict("list") == {**snapshots.to_dict("list"), "task": ["a b/c", "d/e"]}
