"""Runs on the zoo of the tiny run: they use it as it is, and get the results of a run with a zoo of its own."""

import re
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from printed import jobs as read
from typer.testing import CliRunner

from wsl.cli.main import app
from wsl.zoo.member import read_member, write_members

pytestmark = pytest.mark.slow

USED = ("zoo", "images")


def state(folder):
    """Content and modification time of the files that another run may use."""
    files = [path for name in USED for path in (folder / name).rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def project(made, new_project, tiny_config, change):
    """A project with the tiny run, and the config of a run on its zoo that is equal in everything else."""
    config = change(tiny_config, run="other", zoo={"from": "results/tiny"}, images={"classes_per_job": 5})
    project = new_project(config)
    shutil.copytree(made[1], project.root, dirs_exist_ok=True)
    project.write_config(config)
    return project


def test_another_run_trains_nothing_and_gets_equal_results(project, results, read_jobs, monkeypatch):
    planned = project.would_run()
    assert planned["index_part"] == 3 and planned["train_weight_encoder"] == planned["html_report"] == 1
    assert not {"train_cohort", "start", "pack_class", "list_packed"} & {*planned}
    before = state(project.root / "results" / "tiny")
    printed = project.run("results/other/evaluation/protocol/projection-0.csv", "results/other/zoo/plan.csv")
    assert {"clip_features_0", "train_shared", "judge"} <= {job["rule"] for job in read_jobs(printed)}
    assert state(project.root / "results" / "tiny") == before
    assert not (project.results / "zoo" / "members").exists()
    for name in ("weights/latents/train.h5", "zoo/test.h5"):
        with h5py.File(project.results / name) as own, h5py.File(results / name) as tiny:
            key = "latents" if "latents" in own else "weights"
            assert own[key].size and np.array_equal(own[key], tiny[key])
    own, tiny = (pd.read_csv(run / "evaluation/protocol/projection-0.csv") for run in (project.results, results))
    pd.testing.assert_frame_equal(own, tiny)

    monkeypatch.chdir(project.root)
    assert "train 4/4" in CliRunner().invoke(app, ["watch", "results/tiny", "--once"]).output
    told = CliRunner().invoke(app, ["doctor", "tiny.yaml"], env={"COLUMNS": "300"}).output
    assert "members: " in told and "zoo 0" not in told


def test_a_changed_member_reruns_what_uses_it(project):
    finished = ("results/other/evaluation/protocol/projection-0.csv",)
    assert not project.would_run(*finished)
    path = project.root / "results" / "tiny" / "zoo" / "members" / "00002.h5"  # a test member
    member = read_member(path)
    member.weights[-1] += 0.01
    write_members(path, [member])
    stale = project.would_run(*finished)
    assert stale["index_part"] == 1 and stale["judge"] == 1 and not stale["train_weight_encoder"]
    moved = path.rename(path.with_suffix(".away"))
    refused = project.snakemake("--dry-run")
    moved.rename(path)
    assert refused.returncode and "zoo.from: 1 of" in refused.stdout and "00002.h5" in refused.stdout


def test_the_guides_recipe_compares_two_encoders_on_one_zoo(project, repository, tiny_config, change):
    page = (repository / "docs" / "guides" / "encoders.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r'^```yaml title="photos-pca.yaml"\n(.*?)^```$', page, re.DOTALL | re.MULTILINE)
    recipe = yaml.safe_load(recipe.replace("results/photos", "results/tiny").replace("[photos]", "[tiny]"))
    others = {key: value for key, value in tiny_config.items() if key not in {"images", *recipe}}
    own = project.config
    project.write_config({**others, **recipe, "sampling": {}, "evaluation": {"properties": False}})
    jobs = read(project.dry_run())
    project.write_config(own)
    rules = {job["rule"] for job in jobs}
    assert {"train_weight_encoder", "judge", "html_report"} <= rules and not {"train_cohort", "pack_class"} & rules
    (table,) = [job for job in jobs if job["rule"] == "accuracy_table"]
    assert "results/tiny/tables/accuracy.csv" in table["input"].split(", ")
