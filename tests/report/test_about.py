"""The origin of tables, and the tables of several runs as one."""

import subprocess
from dataclasses import replace

import pandas as pd
import pytest
from typer.testing import CliRunner

import wsl
from wsl.cli.main import app
from wsl.errors import ConfigError, DataError
from wsl.files.plain import read_json
from wsl.jobs.machine import this_machine
from wsl.report import about, origin
from wsl.report.about import commit, gather_tables, write_about


@pytest.fixture
def run(tmp_path):
    """Writes a run's tables and their origin: ``run("one", seed=1, accuracy=table)`` returns its folder."""

    def written(name, seed=0, **tables):
        folder = tmp_path / "results" / name
        (folder / "tables").mkdir(parents=True)
        for kind, table in tables.items():
            table.to_csv(folder / "tables" / f"{kind}.csv", index=False)
        write_about([], folder / "tables" / "about.json", {"run": name, "seed": seed, "weights": {"orders": 1}})
        return folder

    return written


MEMBERS = pd.DataFrame({"member": [0, 1], "seed": [7, 8]})


def test_the_origin_names_versions_seed_and_machine(run):
    found, here = read_json(run("one", seed=5) / "tables" / "about.json"), this_machine()
    assert (found["run"], found["run_seed"]) == ("one", 5)
    assert (found["wsl"], found["python"], found["torch"], found["numpy"]) == (
        wsl.__version__, here.python, here.torch, here.numpy,
    )  # fmt: skip
    assert here.cpu in found["machine"] and f"{here.cores} core" in found["machine"]
    other = read_json(run("two", seed=6) / "tables" / "about.json")
    assert found["config"] != other["config"] and len(found["config"]) == 64


def test_machines_of_several_starts_are_all_named(run, monkeypatch):
    here = this_machine()
    machines = [(here, 3), (replace(here, torch="9.9", cpu="Another CPU"), 1)]
    monkeypatch.setattr(about, "read_origin", lambda *_: replace(origin.read_origin("none", "none"), machines=machines))
    found = read_json(run("one") / "tables" / "about.json")
    assert found["torch"] == f"{here.torch}; 9.9" and found["wsl"] == wsl.__version__
    assert found["machine"].endswith("; " + origin.hardware(machines[1][0]))


def test_the_commit_is_that_of_the_project(tmp_path):
    assert commit(tmp_path) == ""
    for command in (["init", "-q"], ["add", "a"], ["commit", "-qm", "one"]):
        (tmp_path / "a").write_text("1")
        author = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *author, *command], cwd=tmp_path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert commit(tmp_path) == head.strip()
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == f"{head.strip()}-dirty"


def test_tables_of_runs_are_gathered_with_their_origin(run, tmp_path):
    own = pd.DataFrame({"run": "one", "sampler": ["mean", "flow"], "accuracy": [0.1, 0.2]})
    beside = pd.DataFrame({"run": ["two", "one"], "sampler": ["mean", "flow"], "accuracy": [0.3, 0.2]})
    runs = [run("one", 1, accuracy=own, members=MEMBERS), run("two", 2, accuracy=beside, extra=MEMBERS)]
    done = CliRunner().invoke(app, ["tables", *map(str, runs), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0 and "accuracy.csv: 3 rows" in done.output
    table = pd.read_csv(tmp_path / "out" / "accuracy.csv")
    assert table[["run", "run_seed", "sampler", "accuracy"]].to_numpy().tolist() == [
        ["one", 1, "mean", 0.1], ["one", 1, "flow", 0.2], ["two", 2, "mean", 0.3],
    ]  # fmt: skip
    assert table["torch"].notna().all() and table["machine"].notna().all() and table["config"].nunique() == 2
    members = pd.read_csv(tmp_path / "out" / "members.csv")
    assert members["seed"].tolist() == [7, 8] and set(members["run_seed"]) == {1}
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == ["accuracy", "extra", "members"]


def test_a_run_without_an_origin_and_its_own_folder_are_refused(run, tmp_path):
    folder = run("one", members=MEMBERS)
    with pytest.raises(ConfigError, match="name another folder"):
        gather_tables([folder], folder / "tables")
    (folder / "tables" / "about.json").unlink()
    with pytest.raises(DataError, match="start the run with its config"):
        gather_tables([folder], tmp_path / "out")
