"""The record of a start, written and read back."""

import os
import subprocess
import sys

import pytest

from tests.watch.conftest import PLAN
from wsl.errors import DataError
from wsl.watch.record import NAME, read_record, write_record


def test_a_record_comes_back(folder):
    record = read_record(folder.root)
    assert [job.name for job in record.jobs] == [
        *("pack_classes_0", "pack_classes_1", "train_cohort/00000", "train_cohort/00012", "train_shared", "html_report")
    ]
    assert [job.rule for job in record.jobs] == [
        *("pack_classes", "pack_classes", "train_cohort", "train_cohort", "train_shared", "html_report")
    ]
    assert record.jobs[4].outputs == ["shared/encoder.safetensors", "shared/history.csv"]
    assert {name: (member.part, member.epochs, member.file) for name, member in record.members.items()} == {
        "00000": ("train", 3, "zoo/members/00000.h5"),
        "00012": ("test", 5, "zoo/members/00012.h5"),
    }


def test_it_knows_the_members_of_each_cohort(folder):
    write_record(folder.root, PLAN, [], "snakemake", cohort=10)
    files = read_record(folder.root).members_of
    assert {path: [*members] for path, members in files.items()} == {
        "zoo/members/00000-00009.h5": ["00000"],
        "zoo/members/00010-00019.h5": ["00012"],
    }


def test_it_contains_the_existing_files_of_jobs_that_are_due(folder):
    folder.finish("train_cohort/00000", "train_shared")
    folder.start(due=("train_shared",))
    jobs = {job.name: job for job in read_record(folder.root).jobs}
    assert set(jobs["train_shared"].before) == {
        *("shared/encoder.safetensors", "shared/history.csv", "logs/train_shared.log")
    }
    assert jobs["train_shared"].before["shared/history.csv"] == (folder.root / "shared/history.csv").stat().st_mtime_ns
    assert not jobs["train_cohort/00000"].due and not jobs["train_cohort/00000"].before


def test_it_contains_the_needs_of_each_job_and_the_command(folder):
    record = read_record(folder.root)
    assert [job.needs for job in record.jobs] == [[], [], [0, 1], [0, 1], [2, 3], [4]]
    assert record.command == "snakemake --cores 2 --configfile made-up.yaml"


def test_snakemake_has_ended_once_its_process_is_gone(folder):
    record = read_record(folder.root)
    assert record.process == os.getpid() and not record.ended
    assert record.model_copy(update={"born": record.born - 60}).ended  # another process has the id now
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert record.model_copy(update={"process": gone.pid}).ended
    assert not record.model_copy(update={"process": gone.pid, "host": "another"}).ended


@pytest.mark.parametrize("content", [None, "", '{"started": 1', '{"started": 1}'])
def test_a_run_without_a_record_is_refused(folder, content):
    (folder.root / NAME).unlink()
    if content is not None:
        (folder.root / NAME).write_text(content)
    with pytest.raises(DataError, match=r"jobs\.json .*start"):
        read_record(folder.root)
