"""A run on the zoo of another run takes everything about members and images from that run, and refuses the rest."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.runs.test_imported import write_zoo
from wsl.errors import ConfigError
from wsl.launch.planning import plan_runs
from wsl.report.facts import facts
from wsl.report.page import zoo_rows
from wsl.runs.borrowed import described, needed_files
from wsl.runs.disk import disk_needs
from wsl.runs.run import Run
from wsl.zoo.plan import write_plan

ZOO = {
    "members": 12,
    "parts": {"train": 2, "validation": 1, "test": 1},
    "architecture": {"width": 2},
    "init": "finetuned",
    "backbone": {"classes": 3, "epochs": 1},
    "unseen": {"classes": 3, "members": 2},
    "classes_per_task": 2,
    "max_epoch": {"integers": [3, 4]},
    "snapshots": [0, 1, "max"],
}
IMAGES = {"source": "digits", "size": 16, "classes_per_job": 2, "mean": [0.4, 0.4, 0.4]}


def made(name, root=Path(), **sections):
    """A run whose zoo is made, with empty files; only their places matter before any job starts."""
    run = Run({"run": name, "images": IMAGES, "zoo": ZOO, **sections})
    paths = run.paths
    for path in needed_files(run):
        if not Path(path).is_file():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch()
    write_plan(run.plan, paths / "zoo/plan.csv", paths.zoo_description, described(run))
    return run


def on(folder, **sections):
    zoo = sections.pop("zoo", {})
    return Run({"run": "own", "zoo": {"from": str(folder), **zoo}, **sections})


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_members_images_and_groups_are_those_of_the_other_run():
    other, own = made("other", seed=3), on("results/other", seed=5)
    assert own.plan == other.plan and own.groups == other.groups and own.classes == other.classes
    assert {"train", "validation", "test", "unseen"} == set(own.parts) and own.layout == other.layout
    assert own.known_classes == other.known_classes and own.config.zoo.regime == "finetuned"
    assert [own.snapshots(row) for row in own.plan] == [other.snapshots(row) for row in other.plan]
    assert needed_files(own) == needed_files(other) and own.config.images.classes_per_job == 2
    assert own.trained == [] and own.seed("pca") != other.seed("pca")
    assert {key: own.paths.index(key) for key in own.parts} == {key: f"results/own/zoo/{key}.h5" for key in own.parts}
    assert not {"zoo", "images"} & set(disk_needs(own)) and disk_needs(own)["components"]


def test_the_report_names_and_links_the_other_run():
    made("other")
    own = on("results/other", images={"classes_per_job": 3}, zoo={"training": 4})
    shown = own.shown_config()
    assert shown["zoo"] == {"from": "results/other", "training": 4, "leave_out": []} and shown["images"] == {
        "classes_per_job": 3
    }
    assert Run(shown).plan == own.plan
    about = facts(own)
    names = {"run": "other", "folder": "results/other", "report": "../other/report.html"}
    assert about["borrowed"] == {**names, "left_out": ""}
    ((name, link),) = zoo_rows(about["borrowed"])
    assert name == "zoo" and '<a href="../other/report.html">other</a>' in link
    assert zoo_rows(facts(Run({"run": "own"}))["borrowed"]) == []


@pytest.mark.parametrize(
    "sections, parts",
    [
        ({"zoo": {"members": 9, "init": "shared"}}, ["zoo: from:", "members and init would have no effect", "them"]),
        ({"zoo": {"import": "zoos/a"}}, ["zoo: import:", "from would have no effect; remove it"]),
        ({"images": {"size": 24}}, ["images: size would have no effect", "those of zoo.from; remove it"]),
        ({"images": {"source": "digits", "classes": 4}}, ["source and classes would have no effect", "remove them"]),
        ({"zoo": {"training": 70}}, ["zoo.training: 70 training members, but there are", "lower it"]),
        ({"run": "other"}, ["zoo.from: results/other uses the zoo of this run", "change `run`"]),
        ({"zoo": {"imported": "zoos/a"}}, ["zoo.imported: a key of an earlier version, now zoo.import"]),
    ],
)  # fmt: skip
def test_keys_that_would_have_no_effect_are_refused(sections, parts):
    made("other")
    with pytest.raises(ConfigError) as refused:
        on("results/other", **sections)
    assert [part for part in parts if part not in str(refused.value)] == []


def refused(folder):
    with pytest.raises(ConfigError) as error:
        on(folder)
    return str(error.value)


def test_an_unfinished_zoo_is_refused_unless_its_first_members_are_enough():
    other = made("other")
    training = [row["member"] for row in other.plan if row["part"] == "train"]
    Path(other.paths.cohort(f"{training[-1]:05d}")).unlink()
    message = refused("results/other")
    total = len(needed_files(other))
    assert f"zoo.from: 1 of {total} files" in message and f"{training[-1]:05d}.h5" in message
    assert "finish that run" in message
    few = on("results/other", zoo={"training": len(training) - 1})
    assert [row["member"] for row in few.plan if row["part"] == "train"] == training[:-1]
    Path(other.paths.packed("7")).unlink()
    assert f"zoo.from: 2 of {total} files" in refused("results/other")


def test_what_is_no_run_is_refused(project):
    assert "there is no folder results/nowhere" in refused("results/nowhere")
    (project / "results" / "old").mkdir(parents=True)
    assert "has no zoo/zoo.json" in refused("results/old") and "Start that run" in refused("results/old")
    made("other")
    path = project / "results" / "other" / "zoo" / "zoo.json"
    about = json.loads(path.read_text())
    path.write_text("{")
    assert "not complete JSON" in refused("results/other")
    path.write_text(json.dumps({**about, "plan": 3}))
    assert "does not describe a zoo (plan:" in refused("results/other")
    path.write_text(json.dumps({**about, "zoo": {**about["zoo"], "architecture": {"name": "mine"}}}))
    assert "architecture" in refused("results/other") and "plug-ins of that run" in refused("results/other")


def test_a_chain_leads_to_the_run_that_has_the_files(project):
    first = made("first")
    second = made("second", zoo={"from": "results/first", "training": 3}, images={})
    third = on("results/second")
    assert third.plan == second.plan != first.plan and third.borrowed.owner == Path("results/first")
    assert third.member_files(["00000"]) == first.member_files(["00000"])
    with pytest.raises(ConfigError, match=r"results/second uses the zoo of this run, results/first"):
        Run({"run": "first", "zoo": {"from": "results/second"}})
    shutil.move(project / "results" / "first", project / "away")
    assert "the zoo of results/second, whose zoo is that of results/first are missing" in refused("results/second")


@pytest.mark.parametrize("chained", [False, True])
def test_the_other_run_may_be_in_another_project(project, monkeypatch, chained):
    first = made("first")
    if chained:
        made("second", zoo={"from": "results/first"}, images={})
    here = project / "elsewhere"
    here.mkdir()
    monkeypatch.chdir(here)
    name = "second" if chained else "first"
    absolute, relative = on(project / "results" / name), on(f"../results/{name}")
    assert absolute.plan == relative.plan == first.plan
    assert absolute.paths.start == str(project / first.paths.start)
    assert relative.paths.start == f"../{first.paths.start}"


def test_the_other_run_may_have_imported_its_members(project, monkeypatch):
    folder = write_zoo(project / "zoos" / "a")
    other = made("other", zoo={"import": "zoos/a", "training": 2}, images={"source": "digits"})
    own = on("results/other")
    assert own.plan == other.plan and own.imported.layout == other.imported.layout
    assert own.config.zoo.regime == "imported" and own.member_files(["00001"]) == ["zoos/a/members/00001.h5"]
    assert own.config.images.size == other.config.images.size
    made("weights", zoo={"import": str(folder)}, images={"source": "none"})
    assert not on("results/weights").has_images
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    assert on("../results/other").member_files(["00001"]) == ["../zoos/a/members/00001.h5"]


def test_mixed_zoos_can_be_shared():
    zoo = {"architecture": [{"width": 2}, {"width": 4}], "members": 24, "parts": dict.fromkeys(ZOO["parts"], 1)}
    weights = {"encoder": {"name": "sane", "latent": 2000}}
    other = made("other", zoo=zoo, weights=weights)
    own = on("results/other", weights={"encoder": {"name": "contrastive", "latent": 16}})
    assert own.mixed and own.plan == other.plan and own.networks == other.networks


def test_runs_of_one_command_may_use_zoos_that_are_made_before(project, monkeypatch):
    Path("Snakefile").touch()
    configs = {"first": {"images": IMAGES, "zoo": ZOO}, "second": {"zoo": {"from": "results/first"}}}
    for name, sections in configs.items():
        Path(f"{name}.yaml").write_text(yaml.safe_dump({"run": name, **sections}))
    paths = [Path("first.yaml"), Path("second.yaml")]
    assert [run.name for run in plan_runs(paths, [])] == ["first", "second"]
    with pytest.raises(ConfigError, match=r"second.yaml: zoo.from: there is no folder results/first"):
        plan_runs(paths[::-1], [])
    Path("second.yaml").write_text(yaml.safe_dump({"run": "second", "zoo": {"from": "results/first", "width": 2}}))
    with pytest.raises(ConfigError, match=r"zoo.width"):
        plan_runs(paths, [])


def test_a_run_can_use_fewer_snapshots():
    made("other")
    own = on("results/other", zoo={"snapshots": [1, "max"]})
    assert own.fewer_snapshots and {tuple(own.snapshots(row)) for row in own.plan} == {("epoch1", "max")}
    shown = own.shown_config()
    assert shown["zoo"]["snapshots"] == [1, "max"] and Run(shown).snapshots(own.plan[0]) == ["epoch1", "max"]
    assert not on("results/other").fewer_snapshots and "snapshots" not in on("results/other").shown_config()["zoo"]
    again = on("results/other", zoo={"snapshots": [0, 1, "max"]})
    assert not again.fewer_snapshots
    with pytest.raises(ConfigError, match=r"zoo\.snapshots: the members of results/other have no snapshot 2; choose"):
        on("results/other", zoo={"snapshots": [2, "max"]})
    with pytest.raises(ConfigError, match="add `max`"):
        on("results/other", zoo={"snapshots": [1]})
