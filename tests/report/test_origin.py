"""The origin of a run: dates, machines and durations after one start, a resumption or a partial rerun."""

import time
from dataclasses import replace

import pytest

from wsl.files.plain import write_json
from wsl.jobs.machine import Machine, note, this_machine
from wsl.report.origin import Origin, origin_rows, read_origin, span
from wsl.watch.record import NAME, Job, Record


@pytest.fixture
def run(tmp_path):
    """Write a run's record and logs: name of a job, whether the last start ran it, and the end of its log."""

    def written(jobs: dict[str, tuple[bool, str]], started: float = 100.0) -> Origin:
        known = [
            Job(name=name, outputs=[f"{name}.csv"], log=f"logs/{name}.log", due=due) for name, (due, _) in jobs.items()
        ]
        report = Job(name="html_report", outputs=["report.html"], log="logs/html_report.log", due=True)
        record = Record(started=time.time() - started, host="x", process=1, members={}, jobs=[*known, report])
        write_json(tmp_path / NAME, record.model_dump())
        for name, (_, end) in jobs.items():
            (tmp_path / "logs" / f"{name}.log").write_text(f"2026-01-01 10:00:00,000 INFO {end}\n")
        return read_origin(tmp_path, tmp_path / "report.html")

    return written


def on(machine: Machine, seconds: float, monkeypatch) -> str:
    monkeypatch.setattr("wsl.jobs.machine.this_machine", lambda device: machine)
    return note(seconds)


def test_jobs_of_earlier_starts_count_with_their_last_run(run):
    origin = run({"a": (False, note(100)), "b": (False, note(20)), "c": (True, note(3))}, started=5)
    assert (origin.ran, origin.jobs, origin.timed) == (1, 3, 3)
    assert origin.spent == pytest.approx(123) and origin.start == pytest.approx(5, abs=2)
    assert origin.machines == [(this_machine(), 3)]


def test_jobs_of_several_machines_and_versions_are_distinguished(run, monkeypatch):
    here = this_machine()
    other = replace(here, torch="1.0", cpu="Another CPU", gpu="NVIDIA H100")
    jobs = {"a": (False, on(other, 60, monkeypatch)), "b": (True, on(here, 1, monkeypatch)), "c": (True, note(1))}
    rows = origin_rows(run(jobs), "digits", 3)
    named = dict(rows)
    assert named["versions (1 job)"].endswith("torch 1.0") and "NVIDIA H100" in named["machine (1 job)"]
    assert "machine (2 jobs)" in named and [name for name, _ in rows].index("machine (2 jobs)") == 5


def test_logs_without_a_note_are_left_out_of_the_sum(run):
    origin = run({"a": (True, note(10)), "b": (False, "written by an earlier version")})
    assert (origin.spent, origin.timed, origin.jobs) == (10, 1, 2)
    rows = dict(origin_rows(origin, "digits", 3))
    assert rows["time of jobs"] == "10 s in 1 of 2 jobs, the sum over the last run of each"
    assert rows["last start"] == "1 min 40 s, in which 1 of 2 jobs ran" and rows["run"] == "digits, seed 3"


def test_without_a_record_this_machine_is_described(tmp_path):
    origin = read_origin(tmp_path, tmp_path / "report.html")
    assert origin.machines == [(this_machine(), 0)] and origin.start is None
    assert [name for name, _ in origin_rows(origin, "x", 0)] == ["run", "report written", "versions", "machine"]


@pytest.mark.parametrize(
    "seconds, words",
    [(3.4, "3 s"), (59.9, "1 min 0 s"), (492, "8 min 12 s"), (3599.8, "1 h 0 min"), (9000, "2 h 30 min")],
)
def test_durations_in_words(seconds, words):
    assert span(seconds) == words
