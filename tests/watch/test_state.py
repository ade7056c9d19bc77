"""The state of a made-up run, counted by hand."""

import logging
import os

import pytest

from wsl.watch.record import read_record, write_record
from wsl.watch.state import Count, Logs, look


@pytest.fixture
def seen(folder):
    """Looks at the folder: ``seen()``."""
    logs = Logs(folder.root)
    return lambda: look(folder.root, read_record(folder.root), logs)


def statuses(state):
    return {seen.job.name: seen.status for seen in state.jobs}


def test_a_run_without_outputs_waits(seen):
    state = seen()
    assert set(statuses(state).values()) == {"waiting"}
    assert state.outputs == Count(0, 8) and state.members == {"train": Count(0, 1), "test": Count(0, 1)}
    assert state.left is None and not state.over and state.phase == "running"


def test_jobs_wait_run_fail_and_end(folder, seen):
    folder.finish("pack_classes_0")
    folder.write("images/emu.h5")
    folder.train("train_cohort/00000", (9, 1), member=0)
    folder.say("train_cohort/00012", (9, "ERROR the job failed"), "Traceback ...", "ValueError: no", "")
    folder.say("train_shared", (9, "INFO starts"))
    folder.write("shared/history.csv")  # one of two outputs
    state = seen()
    assert statuses(state) == {
        "pack_classes_0": "done",
        "pack_classes_1": "done",
        "train_cohort/00000": "running",
        "train_cohort/00012": "failed",
        "train_shared": "running",
        "html_report": "waiting",
    }
    assert state.outputs == Count(3, 8)
    assert state.stages == {
        "images": {"pack_classes": Count(3, 3)},
        "zoo": {"train_cohort": Count(0, 2)},
        "shared": {"train_shared": Count(0, 2)},
        "report": {"html_report": Count(0, 1)},
    }
    assert [job.log.error for job in state.of("failed")] == ["ValueError: no"]
    assert state.size == sum(path.stat().st_size for path in folder.root.rglob("*") if path.is_file())


def test_files_of_an_earlier_start_count_only_where_no_job_is_due(folder, seen):
    folder.finish("pack_classes_0", "pack_classes_1", "train_cohort/00000", "train_shared")
    folder.start(due=("train_cohort/00012", "train_shared", "html_report"))
    state = seen()
    assert statuses(state)["train_shared"] == "waiting" and statuses(state)["train_cohort/00000"] == "done"
    assert state.outputs == Count(4, 8) and state.members == {"train": Count(1, 1), "test": Count(0, 1)}
    folder.finish("train_shared")
    assert seen().outputs == Count(6, 8)


def test_a_run_is_complete_when_all_outputs_exist(folder, seen):
    *others, last = (
        "pack_classes_0",
        "pack_classes_1",
        "train_cohort/00000",
        "train_cohort/00012",
        "train_shared",
        "html_report",
    )
    folder.finish(*others)
    assert not seen().complete
    folder.finish(last)
    state = seen()
    assert state.complete and state.over
    assert 0 <= state.elapsed < 60


def test_a_job_that_snakemake_reports_as_failed_has_failed_even_if_its_log_holds_no_error(folder, seen):
    folder.train("train_cohort/00000", (9, 1), member=0)
    folder.step("starts", "train_cohort/00000", ago=9)
    assert statuses(seen())["train_cohort/00000"] == "running"
    folder.step("fails", "train_cohort/00000")
    state = seen()
    assert statuses(state)["train_cohort/00000"] == "failed" and not state.over
    folder.step("starts", "train_cohort/00000")  # submitted again, and waiting for a node; the log is the old one
    os.utime(folder.root / "logs/train_cohort/00000.log", (1, 1))
    assert statuses(seen())["train_cohort/00000"] == "waiting"


@pytest.mark.parametrize(
    "end, phase", [("interrupted", "interrupted"), ("failed", "failed"), (None, "killed"), ("completed", "deleted")]
)
def test_nothing_runs_once_snakemake_has_ended(folder, seen, end, phase):
    folder.finish("pack_classes_0", "pack_classes_1")
    folder.train("train_cohort/00000", (9, 1), member=0)
    folder.step("starts", "train_cohort/00000", ago=9)
    assert seen().phase == "running"
    if end:
        folder.steps.add(end)
    else:
        folder.ended()
    state = seen()
    assert state.phase == phase and state.over and not state.complete
    assert statuses(state)["train_cohort/00000"] == "stopped"


def test_steps_after_the_end_of_a_run_are_not_written(folder, seen):
    folder.train("train_cohort/00000", (9, 1), member=0)
    folder.steps.add("interrupted")
    record = {"event": "job_error", "jobid": 3, "log": [str(folder.root / "logs/train_cohort/00000.log")]}
    folder.steps.handle(logging.makeLogRecord({**record, "event": "job_info"}))
    folder.steps.handle(logging.makeLogRecord(record))
    assert statuses(seen())["train_cohort/00000"] == "stopped"


@pytest.mark.parametrize("log", ["publish.log", "../other/logs/publish.log"])
def test_steps_of_jobs_of_other_runs_and_snakefiles_are_not_written(folder, log):
    before = (folder.root / "logs" / "steps.jsonl").read_text()
    record = {"event": "job_info", "jobid": 3, "log": [str(folder.root / log)]}
    folder.steps.handle(logging.makeLogRecord(record))
    folder.steps.handle(logging.makeLogRecord({"event": "job_finished", "job_id": 3}))
    assert (folder.root / "logs" / "steps.jsonl").read_text() == before


def test_an_earlier_starts_end_is_not_this_ones(folder, seen):
    folder.step("interrupted", ago=5)
    folder.start()
    assert seen().phase == "running"


def test_files_deleted_after_a_run_are_named(folder, seen):
    for job in statuses(seen()):
        folder.step("starts", job)
        folder.finish(job)
        folder.step("ends", job)
    folder.steps.add("completed")
    assert seen().complete
    (folder.root / "zoo/members/00012.h5").unlink()
    (folder.root / "images/cat.h5").unlink()
    state = seen()
    assert state.phase == "deleted" and state.over and not state.complete
    assert state.missing == ["images/cat.h5", "zoo/members/00012.h5"]
    assert state.members == {"train": Count(1, 1), "test": Count(0, 1)}
    folder.start(due=())
    assert seen().missing == ["images/cat.h5", "zoo/members/00012.h5"]


def test_each_warning_is_listed_once(folder, seen):
    folder.say("train_cohort/00000", (9, "WARNING the zoo is small"), (8, "INFO trains"))
    folder.say(
        "train_cohort/00012",
        (9, "WARNING UserWarning: slow"),
        "  /site-packages/x.py:12",
        (8, "WARNING the zoo is small"),
    )
    assert seen().warnings == {"the zoo is small": "train_cohort/00000", "UserWarning: slow": "train_cohort/00012"}


def test_epochs_come_from_the_history_that_the_job_writes(folder, seen):
    folder.train("train_cohort/00012", (9, 1), (4, 2), member=12, of=5)
    (running,) = seen().of("running")
    assert [(epoch.epoch, epoch.epochs, epoch.member) for epoch in running.epochs] == [(1, 5, "00012"), (2, 5, "00012")]
    assert running.last_epoch.values == {"train_loss": 0.5, "validation_loss": 0.25}
    folder.start()  # epochs of an earlier start are not shown
    assert not seen().jobs[3].epochs


def test_an_incomplete_line_is_not_an_epoch(folder, seen):
    folder.train("train_shared", (9, 1))
    with open(folder.root / "logs/train_shared.jsonl", "a", encoding="utf-8") as file:
        file.write('{"time": 1.0, "epoch": 2, "epo')
    (running,) = seen().of("running")
    assert [epoch.epoch for epoch in running.epochs] == [1]


def test_a_log_is_read_again_only_if_it_has_changed(folder):
    logs = Logs(folder.root)
    assert logs.read("logs/train_shared.jsonl") is None
    folder.train("train_shared", (5, 1))
    first = logs.read("logs/train_shared.jsonl")
    assert logs.read("logs/train_shared.jsonl") is first
    folder.train("train_shared", (5, 2))
    assert logs.read("logs/train_shared.jsonl").epochs[0].epoch == 2
    (folder.root / "logs/train_shared.jsonl").unlink()
    assert logs.read("logs/train_shared.jsonl") is None


def test_files_that_vanish_or_are_damaged_do_no_harm(folder, seen, monkeypatch):
    folder.finish("pack_classes_0")
    folder.write("zoo/members/.00000.h5.77.part", "half")
    folder.say("train_cohort/00000", (1, "INFO trai"))
    (folder.root / "logs/train_cohort/00012.log").write_bytes(b"\xff\xfe\x00 no text")
    (folder.root / "images/gone").symlink_to(folder.root / "nowhere")
    state = seen()
    assert statuses(state)["train_cohort/00000"] == "running" and statuses(state)["pack_classes_0"] == "done"


def test_members_that_a_running_cohort_has_trained_count(folder, seen):
    plan = [{"member": number, "part": "train", "max_epoch": 2} for number in range(3)]
    jobs = [{"outputs": ["zoo/members/00000-00009.h5"], "log": "logs/train_cohort/00000-00009.log", "due": True}]
    write_record(
        folder.root, plan, [{key: place(folder, value) for key, value in job.items()} for job in jobs], "s", 10
    )
    assert seen().members == {"train": Count(0, 3)}
    folder.train("train_cohort/00000-00009", (9, 1), (8, 2), member=0, of=2)
    lines = (folder.root / "logs/train_cohort/00000-00009.jsonl").read_text()
    folder.train("train_cohort/00000-00009", (7, 1), member=1, of=2)
    later = (folder.root / "logs/train_cohort/00000-00009.jsonl").read_text()
    folder.write("logs/train_cohort/00000-00009.jsonl", lines + later)
    assert seen().members == {"train": Count(1, 3)}
    folder.step("ends", "train_cohort/00000-00009")
    folder.write("zoo/members/00000-00009.h5")
    assert seen().members == {"train": Count(3, 3)}


def place(folder, value):
    """Return the paths of a job as in the run's folder."""
    if isinstance(value, list):
        return [place(folder, one) for one in value]
    return str(folder.root / value) if isinstance(value, str) else value
