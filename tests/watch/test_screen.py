"""A watch from start to end: on a terminal, in lines, by the command."""

import io
import json
import os
import re
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from wsl.cli.main import app
from wsl.watch.remaining import looks
from wsl.watch.screen import View, advice, follow, line
from wsl.watch.state import DELETED, KILLED

PACKED = ("pack_classes_0", "pack_classes_1")
OTHERS = ("train_shared", "html_report")
EPOCH = {"member": 12, "of": 5}


@pytest.fixture
def watched(folder):
    """Follows the folder while jobs end and fail, and returns the output on a console of this kind."""

    def run(terminal: bool) -> str:
        steps = [
            lambda: folder.finish(*PACKED),
            lambda: folder.train("train_cohort/00012", (7, 4), **EPOCH),
            lambda: folder.say("train_cohort/00000", (7, "ERROR the job failed"), "ValueError: [no] images"),
            lambda: None,
            lambda: folder.finish("train_cohort/00000", "train_cohort/00012", *OTHERS),
        ]

        def filling(states):
            for state, step in zip_longest(states, steps, fillvalue=lambda: None):
                yield state
                step()

        console = Console(file=io.StringIO(), force_terminal=terminal, width=110, height=40)
        state = follow(folder.root, filling(looks(folder.root)), console, every=0)
        assert state.complete
        return console.file.getvalue()

    return run


def test_elsewhere_each_state_is_a_line_and_each_failure_is_printed_once(watched, folder):
    text = watched(terminal=False)
    assert not re.search(r"[^\n -~]", text)  # no control codes
    lines = text.splitlines()
    output = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in lines]
    assert re.match(r"0 of 8 outputs; members: train 0/1, test 0/1; \d+ s so far; time left unknown; ", output[0])
    assert output[1].startswith("3 of 8 outputs")
    assert output[2].endswith("; now train_cohort/00012 epoch 4 of 5: train loss 0.5, validation loss 0.25")
    log = folder.root / "logs" / "train_cohort" / "00000.log"
    assert output[3] == f"train_cohort/00000 failed: ValueError: [no] images ({log})"
    assert "1 failed; " in output[4] and "1 failed; " in output[5]
    assert re.match(r"8 of 8 outputs; members: train 1/1, test 1/1; complete, took \d+ s; ", output[6])
    assert len(output) == 7


def test_a_terminal_shows_stages_what_runs_and_what_failed(watched):
    text = watched(terminal=True)
    assert "\x1b[" in text
    frames = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).split("made-up: ")
    assert re.search(r"images .* 3/3", frames[2]) and re.search(r"zoo .* 0/2 +train_cohort 0/2", frames[3])
    assert re.search(r"\n train_cohort/00012 epoch 4 of 5: train loss 0.5, validation loss 0.25 *\r", frames[3])
    assert "train_cohort/00000 failed: ValueError: [no] images (logs/train_cohort/00000.log)" in frames[4]
    assert re.search(r"report .* 1/1", frames[-1]) and "failed" not in frames[-1]


def test_accuracies_are_shown_where_they_matter(folder):
    folder.train("train_cohort/00012", (7, 4), **EPOCH, train_loss=0.5, train_accuracy=1.0, validation_accuracy=0.75)
    assert "now train_cohort/00012 epoch 4 of 5: train loss 0.5, validation accuracy 0.75" in line(
        next(looks(folder.root))
    )
    folder.train("train_cohort/00012", (7, 4), **EPOCH, train_loss=0.5, train_accuracy=1.0)
    assert "epoch 4 of 5: train loss 0.5, train accuracy 1" in line(next(looks(folder.root)))


def test_the_job_of_a_cohort_names_the_member_that_it_trains(folder):
    folder.train("train_shared", (7, 4), **EPOCH)
    text = line(next(looks(folder.root)))
    assert "now train_shared member 00012, epoch 4 of 5: train loss 0.5, validation loss 0.25" in text


def watch(*arguments, code=0) -> str:
    done = CliRunner().invoke(app, ["watch", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


def test_once_prints_the_progress_and_changes_nothing(folder):
    folder.finish(*PACKED)

    def times():
        return {path: path.stat().st_mtime_ns for path in folder.root.rglob("*")}

    before = times()
    assert "made-up: 3 of 8 outputs" in watch(folder.root, "--once", code=3)
    assert times() == before


def test_json_contains_the_content_of_the_screen(folder):
    folder.finish(*PACKED)
    folder.train("train_cohort/00012", (7, 4), **EPOCH)
    folder.say("train_cohort/00012", (7, "WARNING the zoo is small"))
    folder.say("train_cohort/00000", (7, "ERROR the job failed"), "ValueError: [no] images")
    output = json.loads(watch(folder.root, "--once", "--json", code=3))
    assert (output["run"], output["phase"], output["outputs"]) == ("made-up", "running", {"done": 3, "all": 8})
    assert output["members"]["test"] == {"done": 0, "all": 1} and output["seconds_left"] is None
    values = {"train_loss": 0.5, "validation_loss": 0.25}
    assert output["running"] == [{"job": "train_cohort/00012", "member": "00012", "epoch": 4, "values": values}]
    log = "logs/train_cohort/00000.log"
    assert output["failed"] == [{"job": "train_cohort/00000", "error": "ValueError: [no] images", "log": log}]
    assert output["warnings"] == [{"text": "the zoo is small", "job": "train_cohort/00012"}]
    assert output["missing"] == [] and output["resume"] == "snakemake --cores 2 --configfile made-up.yaml"
    watch(folder.root, "--json", code=2)


def test_a_warning_is_printed_once(folder):
    folder.say("train_cohort/00012", (7, "WARNING the zoo is small"))
    states = looks(folder.root)
    console = Console(file=io.StringIO(), force_terminal=False)
    with View("made-up", folder.root, console) as view:
        view(next(states))
        view(next(states))
    assert console.file.getvalue().count("warning: the zoo is small (train_cohort/00012)") == 1


def test_a_complete_run_ends_with_code_0(folder):
    folder.finish(*PACKED, "train_cohort/00000", "train_cohort/00012", *OTHERS)
    assert "8 of 8 outputs" in watch(folder.root)


@pytest.mark.parametrize("once", [("--once",), ()])
def test_a_run_that_ended_before_its_time_ends_with_code_1(folder, once):
    folder.train("train_cohort/00012", (7, 4), **EPOCH)
    folder.steps.add("interrupted")
    output = watch(folder.root, *once, code=1)
    assert re.search(r"interrupted after \d+ s", output) and "failed" not in output
    assert "Resume: snakemake --cores 2 --configfile made-up.yaml" in output


def test_a_run_whose_snakemake_was_killed_does_not_run_for_ever(folder):
    folder.train("train_cohort/00012", (7, 4), **EPOCH)
    folder.ended()
    output = watch(folder.root, "--once", code=1).replace("\n", "")
    assert "Snakemake was killed" in output and "epoch 4" not in output
    assert "snakemake --unlock --cores 2 --configfile made-up.yaml" in output


def test_files_deleted_after_a_run_are_named_with_a_command_that_makes_them(folder):
    jobs = (*PACKED, "train_cohort/00000", "train_cohort/00012", *OTHERS)
    for job in jobs:
        folder.finish(job)
        folder.step("ends", job)
    folder.steps.add("completed")
    assert "8 of 8 outputs" in watch(folder.root, "--once")
    path = folder.root / "shared/history.csv"
    path.unlink()
    output = watch(folder.root, "--once", code=1)
    assert f"Deleted since the run ended: {path}\n" in output
    assert f"Make again: snakemake --cores 2 --configfile made-up.yaml -- {path}\n" in output


@pytest.mark.parametrize(
    ("command", "phase", "advised"),
    [
        ("wsl run tiny", DELETED, "Make again: wsl run tiny -- results/tiny/report.html"),
        ("wsl run a.yaml -- -C seed=1", DELETED, "Make again: wsl run a.yaml -- -C seed=1 -- results/tiny/report.html"),
        ("wsl run tiny --cores 2", KILLED, "If Snakemake finds a lock: wsl run tiny --cores 2 -- --unlock"),
        ("wsl run a.yaml -- all", KILLED, "If Snakemake finds a lock: wsl run a.yaml -- --unlock all"),
    ],
)
def test_runs_of_wsl_run_are_completed_by_it(command, phase, advised):
    state = SimpleNamespace(record=SimpleNamespace(command=command), phase=phase, missing=["report.html"])
    assert advice(state, "results/tiny").splitlines()[-1] == advised


def test_a_folder_that_is_not_a_run_is_refused(tmp_path):
    assert "is not the folder of a run" in watch(tmp_path, code=1)


def test_neither_torch_nor_snakemake_is_imported(folder, tmp_path):
    code = (
        "import sys; from wsl.cli.main import app\n"
        f"try: app(['track', {str(folder.root)!r}, '--to', 'tensorboard', '--out', {str(tmp_path)!r}])\n"
        "except SystemExit as end: assert end.code == 1\n"
        "sys.exit(str({'torch', 'snakemake', 'tensorflow', 'sklearn'} & set(sys.modules) or '') or None)"
    )
    folder.train("train_cohort/00012", (7, 4), **EPOCH)
    folder.ended()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "tensorboard" / "made-up" / "members" / "00012").glob("events.out.tfevents.*"))
