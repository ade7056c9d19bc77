"""What `wsl watch` shows of the tiny run, against what Snakemake printed and what the run holds."""

from collections import Counter

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from wsl.cli.main import app
from wsl.watch.record import read_record
from wsl.watch.state import Count, Logs, look
from wsl.zoo.member import read_member

pytestmark = pytest.mark.slow


@pytest.fixture
def done(printed, read_jobs):
    """The jobs that Snakemake printed, ``all`` left out."""
    return [job for job in read_jobs(printed) if job["rule"] != "all"]


def test_the_record_names_every_job_that_ran(results, done):
    jobs = read_record(results).jobs
    assert all(job.due for job in jobs)
    assert Counter(job.rule for job in jobs) == Counter(job["rule"] for job in done)
    recorded = {f"results/tiny/{job.log}": [f"results/tiny/{path}" for path in job.outputs] for job in jobs}
    assert recorded == {job["log"]: job["output"].split(", ") for job in done}


def test_a_finished_run_is_complete(results, done):
    state = look(results, read_record(results), Logs(results))
    outputs = sum(len(job["output"].split(", ")) for job in done)
    assert state.complete and state.outputs == Count(outputs, outputs)
    assert state.members == {"train": Count(4, 4), "validation": Count(2, 2), "test": Count(2, 2)}
    assert 0 < state.elapsed < state.time - state.record.started


def test_a_watch_ends_well_and_changes_nothing(results, tmp_path):
    def held():
        return {path: path.stat().st_mtime_ns for path in results.rglob("*")}

    before = held()
    watched = CliRunner().invoke(app, ["track", str(results), "--to", "tensorboard", "--out", str(tmp_path)])
    assert watched.exit_code == 0 and "complete, took" in watched.output
    assert held() == before


@pytest.fixture(scope="module")
def events(results, tmp_path_factory):
    """Folders of event files by the names of curves, written of the finished run."""
    folder = tmp_path_factory.mktemp("events")
    watched = CliRunner().invoke(app, ["track", str(results), "--to", "tensorboard", "--out", str(folder)])
    assert watched.exit_code == 0, watched.output
    own = folder / "tensorboard" / "tiny"
    return {path.parent.relative_to(own).as_posix(): path.parent for path in own.rglob("events.out.tfevents.*")}


def scalars(folder) -> pd.DataFrame:
    """Return the content of event files: one row per epoch, with the column names of histories."""
    accumulator = EventAccumulator(str(folder)).Reload()
    return pd.DataFrame(
        {
            "_".join(reversed(tag.split("/", 1))): {one.step: one.value for one in accumulator.Scalars(tag)}
            for tag in accumulator.Tags()["scalars"]
        }
    ).rename_axis("epoch")


def test_event_files_hold_all_histories(results, events):
    histories = {f"members/{path.stem}": read_member(path).history for path in (results / "zoo/members").glob("*.h5")}
    histories["train_weight_encoder"] = pd.read_csv(results / "weights" / "encoder_history.csv")
    histories["train_shared"] = pd.read_csv(results / "shared" / "history.csv")
    assert set(events) == {*histories, "."}  # the last one has the results
    for name, history in histories.items():
        expected = history.set_index("epoch").drop(columns="kept", errors="ignore")
        pd.testing.assert_frame_equal(
            scalars(events[name])[list(expected)], expected, rtol=1e-6, check_index_type=False, check_column_type=False
        )


def test_histories_are_exact(results):
    logs = Logs(results)
    for path in (results / "zoo" / "members").glob("*.h5"):
        history = read_member(path).history
        epochs = logs.read(f"logs/train_cohort/{path.stem}.jsonl").epochs
        assert {(epoch.member, epoch.epochs) for epoch in epochs} == {(path.stem, history["epoch"].iloc[-1])}
        table = pd.DataFrame([{"epoch": epoch.epoch, **epoch.values} for epoch in epochs])
        pd.testing.assert_frame_equal(table, history, check_dtype=False)
