"""The remedy is Snakemake's command for files in a run's record, and for no others."""

import json
from pathlib import Path

import pytest

from wsl.files.opening import remedy, run_target
from wsl.watch.record import write_record

ALONE = {"needs": [], "share": 1.0}  # a job that needs no other


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The folder of a run with a record, in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("Snakefile").touch()
    jobs = [
        {
            "outputs": ["results/mine/zoo/members/00000.h5"],
            "log": "results/mine/logs/a.log",
            "due": True,
            **ALONE,
        },
        {
            "outputs": ["results/mine/downloads/clip"],
            "log": "results/mine/logs/b.log",
            "due": False,
            **ALONE,
        },
    ]
    write_record("results/mine", [], jobs, "make run")
    return tmp_path / "results" / "mine"


@pytest.mark.parametrize("name", ["zoo/members/00000.h5", "downloads/clip", "downloads/clip/config.json"])
def test_files_of_a_run_have_their_names_in_snakemake(run, name, monkeypatch):
    assert run_target(run / name) == f"results/mine/{name}"
    assert run_target(f"results/mine/zoo/../{name}") == f"results/mine/{name}"
    assert remedy(run / name, "do else").endswith(f"`snakemake --cores all --forcerun results/mine/{name}`")
    monkeypatch.chdir(run)
    assert run_target(name) == f"results/mine/{name}"


def test_where_no_workflow_lies_the_installed_one_is_started(run):
    Path("Snakefile").unlink()
    name = "results/mine/zoo/members/00000.h5"
    assert remedy(name, "do else").endswith(f"`wsl run CONFIG -- --forcerun {name}`")


@pytest.mark.parametrize("name", ["mine.h5", "zoo/members/00001.h5", "zoo", ".", "../other/zoo/members/00000.h5"])
def test_other_files_have_no_job(run, name):
    assert run_target(run / name) is None
    assert remedy(run / name, "do else") == "do else"


def test_a_copy_of_a_run_elsewhere_has_no_workflow(run):
    (run.parent.parent / "copies").mkdir()
    run.rename(run.parent.parent / "copies" / "mine")
    assert run_target("copies/mine/zoo/members/00000.h5") is None


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"jobs": 3}', '{"jobs": [{"outputs": [[]]}]}', "\xff", None])
def test_without_a_record_there_is_no_advice(run, record):
    path = Path(run, "logs", "jobs.json")
    path.unlink()
    if record is not None:
        path.write_text(record, encoding="latin-1")
    assert run_target(run / "zoo/members/00000.h5") is None


def test_the_record_has_the_keys_that_are_read(run):
    assert json.loads(Path(run, "logs", "jobs.json").read_text())["jobs"][0]["outputs"] == ["zoo/members/00000.h5"]
