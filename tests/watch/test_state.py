"""How far a made-up run has got, counted by hand."""

import pytest

from wsl.watch.logs import Logs
from wsl.watch.record import read_record
from wsl.watch.state import Count, look

LOSSES = "train 0.5000, validation 0.2500"


@pytest.fixture
def seen(folder):
    """Looks at the folder: ``seen()``."""
    logs = Logs(folder.root)
    return lambda: look(folder.root, read_record(folder.root), logs)


def statuses(state):
    return {seen.job.name: seen.status for seen in state.jobs}


def test_nothing_is_there(seen):
    state = seen()
    assert set(statuses(state).values()) == {"waiting"}
    assert state.outputs == Count(0, 8) and state.members == {"train": Count(0, 1), "test": Count(0, 1)}
    assert state.left is None and not state.over


def test_jobs_wait_run_fail_and_end(folder, seen):
    folder.finish("pack_classes_0")
    folder.write("images/emu.h5")
    folder.say("train_member/00000", (9, f"INFO member 0, epoch 1: {LOSSES}"))
    folder.say("train_member/00012", (9, "ERROR the job failed"), "Traceback ...", "ValueError: no", "")
    folder.say("train_shared", (9, "INFO starts"))
    folder.write("shared/history.csv")  # one of two outputs
    state = seen()
    assert statuses(state) == {
        "pack_classes_0": "done",
        "pack_classes_1": "done",
        "train_member/00000": "running",
        "train_member/00012": "failed",
        "train_shared": "running",
        "html_report": "waiting",
    }
    assert state.outputs == Count(3, 8)
    assert state.stages == {
        "images": {"pack_classes": Count(3, 3)},
        "zoo": {"train_member": Count(0, 2)},
        "shared": {"train_shared": Count(0, 2)},
        "report": {"html_report": Count(0, 1)},
    }
    assert [one.log.error for one in state.of("failed")] == ["ValueError: no"]
    assert state.size == sum(path.stat().st_size for path in folder.root.rglob("*") if path.is_file())


def test_files_of_an_earlier_start_count_only_where_no_job_is_due(folder, seen):
    folder.finish("pack_classes_0", "pack_classes_1", "train_member/00000", "train_shared")
    folder.start(due=("train_member/00012", "train_shared", "html_report"))
    state = seen()
    assert statuses(state)["train_shared"] == "waiting" and statuses(state)["train_member/00000"] == "done"
    assert state.outputs == Count(4, 8) and state.members == {"train": Count(1, 1), "test": Count(0, 1)}
    folder.finish("train_shared")
    assert seen().outputs == Count(6, 8)


def test_a_run_is_complete_when_all_is_there(folder, seen):
    *others, last = (
        "pack_classes_0",
        "pack_classes_1",
        "train_member/00000",
        "train_member/00012",
        "train_shared",
        "html_report",
    )
    folder.finish(*others)
    assert not seen().complete
    folder.finish(last)
    state = seen()
    assert state.complete and state.over and state.left == 0
    assert 0 <= state.elapsed < 60


def test_the_time_left_is_that_of_the_epochs_left(folder, seen):
    # Five epochs in the 100 s since the first; two of eight are left.
    folder.say(
        "train_member/00000", *((100 - 20 * place, f"INFO member 0, epoch {place + 1}: {LOSSES}") for place in range(3))
    )
    folder.write("zoo/members/00000.h5")
    folder.say(
        "train_member/00012", *((40 - 20 * place, f"INFO member 12, epoch {place + 1}: {LOSSES}") for place in range(3))
    )
    assert seen().left == pytest.approx(2 * 100 / 5, abs=2)


def test_members_of_an_earlier_start_do_not_speed_up_the_estimate(folder, seen):
    folder.say("train_member/00000", *((5000, f"INFO member 0, epoch {place + 1}: {LOSSES}") for place in range(3)))
    folder.write("zoo/members/00000.h5")
    folder.start(due=("train_member/00012",))
    folder.say(
        "train_member/00012", (30, f"INFO member 12, epoch 1: {LOSSES}"), (20, f"INFO member 12, epoch 2: {LOSSES}")
    )
    assert seen().left == pytest.approx(3 * 30 / 1, abs=2)


def test_what_vanishes_or_is_torn_stops_nothing(folder, seen, monkeypatch):
    folder.finish("pack_classes_0")
    folder.write("zoo/members/.00000.h5.77.part", "half")
    folder.say("train_member/00000", (1, "INFO member 0, epoch"))
    (folder.root / "logs/train_member/00012.log").write_bytes(b"\xff\xfe\x00 no text")
    (folder.root / "images/gone").symlink_to(folder.root / "nowhere")
    state = seen()
    assert statuses(state)["train_member/00000"] == "running" and statuses(state)["pack_classes_0"] == "done"
