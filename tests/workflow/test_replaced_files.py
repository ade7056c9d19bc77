"""What a file that is touched, replaced or deleted makes stale, exactly."""

import os
import shutil
from collections import Counter

import pytest
from stages import (
    AUTOENCODER,
    METHODS,
    OUTPUTS,
    RECONSTRUCTION,
    REPORT,
    SAMPLING,
    SAMPLING_TABLES,
    SUMMARY,
    TRAINING_INDEX,
    ZOO_TABLES,
)

from wsl.errors import DataError
from wsl.zoo.member import read_member, write_members

pytestmark = pytest.mark.slow


def touch_later(path):
    now = path.stat().st_mtime_ns + 10**10
    os.utime(path, ns=(now, now))


@pytest.mark.parametrize(
    "path", ["results/tiny/zoo/members/00000.h5", "results/tiny/images/0.h5", "results/tiny/zoo/train.h5", "Snakefile"]
)
def test_newer_file_of_the_same_content(finished, path):
    touch_later(finished.root / path)
    assert finished.would_run() == Counter()


@pytest.mark.parametrize(
    "member, expected",
    [
        (0, TRAINING_INDEX),
        (1, Counter(index_part=1, coefficients=1) | ZOO_TABLES | AUTOENCODER | SAMPLING),
    ],
    ids=["training member", "validation member"],
)
def test_replaced_member(finished, member, expected):
    path = finished.results / "zoo" / "members" / f"{member:05d}.h5"
    content = read_member(path)
    content.weights[0, 0] += 1
    write_members(path, [content])
    touch_later(path)
    assert finished.would_run() == expected


def test_replaced_test_member(finished):
    path = finished.results / "zoo" / "members" / "00002.h5"
    content = read_member(path)
    content.weights[0, 0] += 1
    write_members(path, [content])
    touch_later(path)
    anew = Counter(index_part=1, coefficients=1, embed_weights=1, judge=METHODS, similarities=1, similarity_heatmap=1)
    assert finished.would_run() == anew + SAMPLING_TABLES | RECONSTRUCTION | OUTPUTS | ZOO_TABLES


def test_member_deleted_behind_its_index_is_trained_again_as_the_message_says(finished):
    target = "results/tiny/weights/pca/conv1.weight.h5"
    (finished.results / "zoo" / "members" / "00000.h5").unlink()
    assert finished.would_run() == Counter(), "Snakemake misses no file that nothing needs"
    finished.configure(weights__components=4)
    assert finished.would_run(target) == Counter(fit_small_pca=1)
    failed = finished.snakemake("--cores", "1", target)
    assert failed.returncode != 0
    path = "results/tiny/zoo/members/00000.h5"
    assert f"member 0: {path} is missing; regenerate it" in failed.stdout
    assert f"`snakemake --cores all --forcerun {path}`" in failed.stdout
    assert "Traceback" not in failed.stdout
    assert finished.would_run(target, "--forcerun", path) == Counter(train_cohort=1, index_part=1, fit_small_pca=1)
    assert finished.would_make("train_cohort", target, "--forcerun", path) == {"00000"}
    finished.run(target, "--forcerun", path)
    assert finished.would_run(target) == Counter()


def test_a_damaged_file_behind_others_is_made_anew_by_force_alone(finished):
    path = "results/tiny/zoo/members/00001.h5"
    file = finished.root / path
    whole, when = file.read_bytes(), file.stat().st_mtime_ns
    file.write_bytes(whole[:2000])
    os.utime(file, ns=(when, when))
    assert finished.would_run() == Counter() == finished.would_run(path), "Snakemake does not look into files"
    with pytest.raises(DataError, match=f"snakemake --cores all --forcerun {path}`$"):
        read_member(file)
    index = "results/tiny/zoo/validation.h5"
    finished.run(index, "--forcerun", path)
    assert read_member(file).plan["member"] == 1
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    "path, expected",
    [
        # Training waits for this table's rule, so that it starts only once every class is usable; no more than that.
        ("tables/classes.csv", Counter(class_table=1) + SUMMARY),
        ("tables/members.csv", ZOO_TABLES),
        ("tables/accuracy.csv", SAMPLING_TABLES),
        ("figures/output_metrics.png", Counter(output_metrics=1) + REPORT),
        ("figures/output_metrics.pdf", Counter(output_metrics=1) + REPORT),
        ("zoo/plan.csv", Counter(plan=1)),
        ("sampling/models/00002.safetensors", Counter(sample=1)),
        ("report.html", REPORT),
    ],
)
def test_deleted_result_is_made_again(finished, path, expected):
    (finished.results / path).unlink()
    assert finished.would_run() == expected


def test_moved_project_is_not_stale(finished, tmp_path):
    finished.root = shutil.copytree(finished.root, tmp_path / "moved")
    assert finished.would_run() == Counter()
