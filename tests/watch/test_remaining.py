"""The time left, computed by hand for the made-up run, whose jobs take half of the machine each."""

import json
import math
import time
from dataclasses import replace

import pytest

from wsl.watch.record import Job, read_record
from wsl.watch.remaining import Remaining, Steady, _makespan
from wsl.watch.state import Logs, Seen, look


@pytest.fixture
def left(folder):
    """Estimates the seconds left: ``left()``."""

    def estimate():
        state = look(folder.root, read_record(folder.root), Logs(folder.root))
        return Remaining(folder.root)(state)

    return estimate


def took(folder, job, seconds, ago=0.0):
    """Do a job that took ``seconds`` and ended ``ago`` seconds ago."""
    folder.step("starts", job, ago + seconds)
    folder.finish(job)
    folder.step("ends", job, ago)


def earlier(folder, **seconds):
    """Record jobs of another run: seconds by rule."""
    log = folder.root.parent / "another" / "logs" / "steps.jsonl"
    log.parent.mkdir(parents=True)
    lines = [
        json.dumps({"time": 1000.0 + after, "job": rule, "what": what}) + "\n"
        for rule, long in seconds.items()
        for what, after in (("starts", 0.0), ("ends", long))
    ]
    log.write_text("".join(lines))


def test_it_is_unknown_at_first(folder, left):
    assert left() is None
    folder.began(100)
    took(folder, "pack_classes_0", 10)
    assert left() == pytest.approx(10 + 10 + 10 + 10, abs=0.1)  # two of six are known; the others are as long


def test_jobs_are_scheduled_in_parallel_and_in_order(folder, left):
    earlier(folder, pack_classes_0=10.0, train_cohort=100.0, train_shared=30.0, html_report=2.0)
    assert left() == pytest.approx(10 + 100 + 30 + 2)
    folder.began(1000)
    took(folder, "pack_classes_0", 10, ago=500)
    took(folder, "pack_classes_1", 10, ago=500)
    took(folder, "train_cohort/00000", 120, ago=300)  # of this start: 120 s, not 100
    assert left() == pytest.approx(120 + 30 + 2, abs=1)
    folder.step("starts", "train_cohort/00012", ago=50)
    folder.say("train_cohort/00012", (50, "INFO starts"))
    assert left() == pytest.approx(70 + 30 + 2, abs=1)


def test_an_earlier_start_of_the_run_counts_more_than_another_run(folder, left):
    earlier(folder, pack_classes_0=10.0, train_cohort=100.0, train_shared=30.0, html_report=2.0)
    took(folder, "train_shared", 300, ago=1)
    folder.start()
    assert left() == pytest.approx(10 + 100 + 300 + 2, abs=0.1)


def test_a_running_training_needs_its_remaining_epochs(folder, left):
    earlier(folder, pack_classes_0=10.0, train_shared=30.0, html_report=2.0)
    folder.began(1000)
    took(folder, "pack_classes_0", 10, ago=500)
    took(folder, "pack_classes_1", 10, ago=500)
    for member in (0, 12):  # which train for 3 and 5 epochs, of 20 s after a start of 15 s
        folder.step("starts", f"train_cohort/{member:05d}", ago=75)
        folder.train(f"train_cohort/{member:05d}", (40, 1), (20, 2), member=member)
    # Three epochs of 20 s are left to the longer one, and the last one was 20 s ago.
    assert left() == pytest.approx(40 + 30 + 2, abs=1)


def test_a_waiting_training_takes_its_own_number_of_epochs(folder, left):
    earlier(folder, pack_classes_0=10.0, train_shared=30.0, html_report=2.0)
    folder.began(1000)
    took(folder, "pack_classes_0", 10, ago=500)
    took(folder, "pack_classes_1", 10, ago=500)
    folder.step("starts", "train_cohort/00000", ago=400)
    folder.train("train_cohort/00000", (375, 1), (355, 2), (335, 3), member=0)
    folder.write("zoo/members/00000.h5")
    folder.step("ends", "train_cohort/00000", ago=335)
    # 65 s for three epochs of 20 s: 5 s and five epochs for the other.
    assert left() == pytest.approx(5 + 5 * 20 + 30 + 2, abs=1)


def test_the_pause_before_a_training_was_resumed_is_not_counted(folder, left):
    earlier(folder, pack_classes_0=10.0, train_cohort=100.0, train_shared=30.0, html_report=2.0)
    folder.began(1000)
    took(folder, "pack_classes_0", 10, ago=500)
    took(folder, "pack_classes_1", 10, ago=500)
    folder.step("starts", "train_cohort/00012", ago=75)
    folder.train("train_cohort/00012", (9000, 1), (8980, 2), (40, 3), (20, 4), member=12)
    # The other member is expected to take a start of 15 s and three epochs of 20 s, this one another epoch of 20 s.
    assert left() == pytest.approx(15 + 3 * 20 + 30 + 2, abs=1)


def test_a_complete_run_needs_nothing(folder, left):
    folder.start(due=())
    assert left() == 0


def test_jobs_start_when_their_needs_are_done_and_their_share_is_free():
    def seen(share, *needs):
        return Seen(Job(name="x", outputs=["x"], log="x", due=True, needs=list(needs), share=share), "waiting")

    # Worked by hand. 0 and 1 side by side until 4 and 6; 2 takes the whole machine, from 6 to 9; 3, of one half, needs
    # 0 alone and fits in from 4 to 5; 4 follows 2 and 3.
    jobs = [seen(0.5), seen(0.5), seen(1.0), seen(0.5, 0), seen(0.5, 2, 3)]
    assert _makespan(jobs, {0: 4.0, 1: 6.0, 2: 3.0, 3: 1.0, 4: 7.0}) == 6 + 3 + 7
    # Finished jobs need no time and block no others.
    assert _makespan(jobs, {2: 3.0, 4: 7.0}) == 10


def test_ten_thousand_jobs_are_scheduled_fast():
    jobs = [Seen(Job(name=f"x/{n}", outputs=["x"], log="x", due=True, share=0.01), "waiting") for n in range(10_000)]
    jobs = [*jobs, replace(jobs[0], job=jobs[0].job.model_copy(update={"needs": [*range(10_000)]}))]
    begun = time.process_time()
    assert _makespan(jobs, dict.fromkeys(range(10_001), 2.0)) == pytest.approx(2 * 100 + 2)
    assert time.process_time() - begun < 5


def test_the_shown_estimate_is_smooth():
    steady = Steady()
    assert steady(None, 0.0) is None
    assert steady(100.0, 10.0) == 100.0  # the first estimate: the end is at 110
    assert steady(98.0, 12.0) == pytest.approx(98.0)
    # An estimate that jumps to an end at 210 moves the end by 1 - exp(-2 / 30) of 100 s.
    assert steady(196.0, 14.0) == pytest.approx(96 + 100 * (1 - math.exp(-2 / 30)))
    assert steady(None, 16.0) is None and steady(50.0, 18.0) == 50.0
