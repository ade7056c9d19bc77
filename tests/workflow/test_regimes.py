"""How members start: which jobs each regime has, what they make, and what a change makes stale."""

import shutil
from collections import Counter

import numpy as np
import pytest

from tests.networks import resnet18_layout
from wsl.errors import ConfigError
from wsl.files.tensors import read_tensors
from wsl.runs.run import Run
from wsl.zoo.index import open_zoo, read_weights
from wsl.zoo.network import flatten

ZOO = "results/regime/zoo"
START = f"{ZOO}/start.safetensors"
TARGETS = [f"{ZOO}/{part}.h5" for part in ("train", "validation", "test", "unseen")]
FITS = "results/regime/weights/pca/fc.bias.h5"
# Ten digits: three for the backbone, three for unseen tasks, four for the others.
CONFIG = {
    "run": "regime",
    "seed": 3,
    "images": {"source": "digits", "size": 16},
    "zoo": {
        "members": 4,
        "parts": {"train": 2, "validation": 1, "test": 1},
        "init": "finetuned",
        "backbone": {"classes": 3, "epochs": 2},
        "unseen": {"classes": 3, "members": 2},
        "architecture": {"width": 2},
        "early_epoch": 1,
        "max_epoch": 2,
        "snapshots": [0, "max"],
    },
}
MADE = {
    **CONFIG,
    "images": {**CONFIG["images"], "classes_per_job": 10},
}  # few jobs, since they start for longer than they run
MEMBERS = Counter(train_cohort=6, index_part=4)


@pytest.fixture(scope="module")
def run():
    return Run(CONFIG)


@pytest.mark.parametrize(("regime", "packed"), [("finetuned", {"backbone"}), ("shared", set()), ("independent", set())])
def test_members_depend_on_one_start_where_they_have_one(plain_snakemake, read_jobs, change, run, regime, packed):
    done = plain_snakemake(change(CONFIG, zoo__init=regime), "--dry-run", *TARGETS)
    assert done.returncode == 0, done.stdout
    jobs = read_jobs(done.stdout)
    members = [job for job in jobs if job["rule"] == "train_cohort"]
    assert len(members) == 6
    starts = [job for job in jobs if job["rule"] == "start"]
    if regime == "independent":
        assert starts == [] and START not in done.stdout
        return
    (start,) = starts
    assert start["output"] == START
    assert all(START in job["input"].split(", ") for job in members)
    images = {f"results/regime/images/{name}.h5" for group in packed for name in run.groups[group]}
    assert {path for path in start["input"].split(", ") if path.endswith(".h5")} == images


@pytest.mark.parametrize("teacher", [0, 0.5])
def test_a_teacher_needs_the_features_of_the_backbones_classes_alone(plain_snakemake, read_jobs, change, run, teacher):
    done = plain_snakemake(change(CONFIG, zoo__backbone__teacher=teacher), "--dry-run", START)
    assert done.returncode == 0, done.stdout
    taught = {job["wildcards"] for job in read_jobs(done.stdout) if job["rule"] == "clip_features"}
    assert taught == ({f"name={name}" for name in run.groups["backbone"]} if teacher else set())


def test_all_that_reads_weights_reads_those_that_were_aligned(plain_snakemake, read_jobs, change):
    done = plain_snakemake(change(CONFIG, weights__align=True), "--dry-run")
    assert done.returncode == 0, done.stdout
    readers = {"zoo": set(), "weights/aligned": set()}
    for job in read_jobs(done.stdout):
        for folder, rules in readers.items():
            indices = {f"results/regime/{folder}/{part}.h5" for part in ("train", "test", "unseen")}
            if indices & set(job.get("input", "").split(", ")):
                rules.add(job["rule"])
    # Alignment itself, and tables of what was measured in training.
    assert readers["zoo"] == {"align_part", "outcome_bins", "zoo_table"}
    assert readers["weights/aligned"] >= {"fit_small_pca", "coefficients", "reconstruction", "sample", "judge"}


def test_no_member_sees_another_groups_classes(run):
    groups = {name: set(classes) for name, classes in run.groups.items()}
    assert [len(groups[name]) for name in ("tasks", "backbone", "unseen")] == [4, 3, 3]
    for row in run.plan:
        assert set(row["classes"]) <= groups["unseen" if row["part"] == "unseen" else "tasks"]


def test_regimes_share_their_plan(change, run):
    for regime in ("shared", "independent"):
        assert Run(change(CONFIG, zoo__init=regime)).plan == run.plan


def test_a_missing_checkpoint_is_refused_before_any_job(change):
    with pytest.raises(ConfigError, match=r"^zoo\.backbone\.checkpoint: there is no file nowhere\.pt; correct"):
        Run(change(CONFIG, zoo__backbone={"checkpoint": "nowhere.pt"}))


@pytest.fixture(scope="module")
def made(new_project):
    """The finetuned zoo, and a copy to restore it from."""
    project = new_project(MADE)
    project.run(*TARGETS, FITS)
    shutil.copytree(project.root, project.root.with_name("pristine"))
    return project


@pytest.fixture
def finished(made):
    shutil.rmtree(made.root)
    shutil.copytree(made.root.with_name("pristine"), made.root)
    made.write_config(MADE)
    return made


@pytest.mark.slow
def test_every_member_starts_from_the_trained_backbone(finished, run):
    state, about = read_tensors(finished.root / START)
    assert about["regime"] == "finetuned" and about["classes"] == 3
    layout, found = resnet18_layout(2, 3), {}
    vector, _ = flatten(state, layout)
    for path in TARGETS:
        with open_zoo(finished.root / path) as zoo:
            weights, rows = read_weights(zoo), zoo.snapshots
        assert set(rows["snapshot"]) == {"epoch0", "max"}
        assert (weights[rows["snapshot"] == "epoch0"] == vector).all()
        assert (weights[rows["snapshot"] == "max"] != vector).any(axis=1).all()
        assert np.allclose(rows.loc[rows["snapshot"] == "epoch0", "validation_loss"], np.log(3), rtol=1e-6)
        found |= dict(zip(rows["member"], rows["task"], strict=True))
    assert found == {row["member"]: "/".join(row["classes"]) for row in run.plan}
    assert {member for member in found if member > 999_999} == {1_000_000, 1_000_001}


@pytest.mark.slow
def test_what_a_change_of_the_regime_makes_stale(finished):
    targets = [*TARGETS, FITS]
    assert finished.would_run(*targets) == Counter()
    for changes, expected in (
        ({"zoo__backbone__epochs": 3}, Counter(start=1, fit_small_pca=1) + MEMBERS),
        ({"zoo__init": "shared"}, Counter(start=1, fit_small_pca=1) + MEMBERS),
        ({"zoo__init": "independent"}, Counter(fit_small_pca=1) + MEMBERS),
        ({"zoo__snapshots": [0, 1, "max"]}, Counter(fit_small_pca=1) + MEMBERS),
        ({"zoo__unseen__members": 3}, Counter(train_cohort=1, index_part=1)),
        ({"zoo__unseen__members": 1}, Counter(index_part=1)),
        ({"shared__epochs": 3}, Counter()),
    ):
        finished.write_config(MADE)
        finished.configure(**changes)
        assert finished.would_run(*targets) == expected, changes


@pytest.mark.slow
def test_a_replaced_checkpoint_is_noticed(finished):
    shutil.copy(finished.root / START, finished.root / "own.safetensors")
    finished.configure(zoo__backbone={"checkpoint": "own.safetensors"})
    finished.run(START)
    about = read_tensors(finished.root / START)[1]
    assert about.pop("layout") and about == {"regime": "finetuned", "checkpoint": "own.safetensors"}
    assert finished.would_run(START) == Counter()
    (finished.root / "own.safetensors").write_bytes((finished.root / "own.safetensors").read_bytes() + b" ")
    assert finished.would_run(START) == Counter(start=1)
