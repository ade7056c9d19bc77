"""The study of small networks: the runs that its scripts start, and their small versions."""

import os
import subprocess
from collections import Counter
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from wsl.config.schema import load_config
from wsl.evaluation.null_arms import ARMS
from wsl.images.reading import task_classes
from wsl.launch.planning import _changed, _changes
from wsl.runs.run import Run
from wsl.zoo.index import open_zoo, read_weights

STUDY = Path(__file__).parents[2] / "docs" / "studies" / "cnn-zoo"
FITS = {"fit_small_pca", "train_weight_encoder", "outcome_bins", "train_shared"}


def commands(script: str, folder: Path, *arguments: str) -> list[tuple[Path, list[str]]]:
    """The config and Snakemake's arguments of each run that a script starts, in place of starting it."""
    program = folder / "bin" / "wsl"
    program.parent.mkdir(exist_ok=True)
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" "" >> commands\n')
    program.chmod(0o755)
    (folder / "commands").unlink(missing_ok=True)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", STUDY / script, *arguments], cwd=folder, env={**os.environ, "PATH": path}, check=True)
    calls = [call.split("\n") for call in (folder / "commands").read_text().strip().split("\n\n")]
    assert all(call[0] == "run" and call[2:3] in ([], ["--"]) for call in calls)
    return [(Path(call[1]), call[3:]) for call in calls]


def config_of(config: Path, arguments: list[str]) -> dict:
    return _changed(yaml.safe_load(config.read_text(encoding="utf-8")), _changes(arguments))


@pytest.mark.parametrize(("kind", "datasets"), [((), 9), (("public",), 7)])
def test_each_dataset_is_left_out_in_turn_and_the_last_run_lists_all(kind, datasets, tmp_path):
    zoo, *runs = [load_config(config_of(*command)) for command in commands("datasets.sh", tmp_path, *kind)]
    assert [run.zoo.leave_out for run in runs] == [[label] for label in zoo.images.source.of]
    assert {str(run.zoo.borrowed) for run in runs} == {f"results/{zoo.run}"}
    assert [*runs[-1].beside, runs[-1].run] == [run.run for run in runs] and len(runs) == datasets


def test_members_of_the_public_zoo_are_two_hundred_for_each_dataset(tmp_path):
    plan = Run(config_of(*commands("datasets.sh", tmp_path, "public")[0])).plan
    assert list(Counter(tuple(row["classes"]) for row in plan).values()) == [200] * 7


def test_the_public_version_of_one_dataset_is_the_same_study_on_all_of_cifar10(tmp_path):
    made = commands("one-dataset-public.sh", tmp_path)
    zoo, *runs = [load_config(config_of(*command)) for command in made]
    original = load_config(config_of(STUDY / "one-dataset.yaml", []))
    assert zoo.images.source.dataset == "CIFAR10" and zoo.zoo == original.zoo and zoo.evaluation == original.evaluation
    assert len(Run(config_of(*made[0])).plan) == 1200
    assert {str(run.zoo.borrowed) for run in runs} == {f"results/{zoo.run}"}
    assert {config.name for config, _ in made[1:]} == {path.name for path in STUDY.glob("sampling-*.yaml")} - {
        "sampling-tiny.yaml"
    }


def test_growth_has_every_size_of_every_zoo(tmp_path):
    configs = [load_config(config_of(*command)) for command in commands("growth.sh", tmp_path)]
    zoos, runs = ([run for run in configs if (run.zoo.borrowed is None) == own] for own in (True, False))
    names = ["cnn-growth-zoo", "cnn-growth-zoo-1", "cnn-growth-zoo-2"]
    assert [(zoo.run, zoo.seed) for zoo in zoos] == list(zip(names, range(3), strict=True))
    sizes = [(4000, 1), (100, 8), (1000, 8), (4000, 8)]
    found = [(str(run.zoo.borrowed), run.seed, run.zoo.training, len(run.zoo.snapshots)) for run in runs]
    assert found == [(f"results/{zoo.run}", zoo.seed, *size) for zoo in zoos for size in sizes]
    # As many steps of training in all runs, up to a fraction of an epoch.
    steps = [run.weights.encoder.epochs * size * count / 32 for run, (size, count) in zip(runs[:4], sizes, strict=True)]
    assert min(steps) > 0.9 * max(steps)
    assert Counter(row["part"] for row in Run(config_of(*commands("growth.sh", tmp_path)[0])).plan)["train"] == 4000
    assert [*runs[-1].beside, runs[-1].run] == [run.run for run in runs] and runs[-1].evaluation.growth


@pytest.fixture
def make(plain_snakemake):
    """Makes files of a run, and the targets that a script names, and returns what is printed."""

    def made(command: tuple[Path, list[str]], *files: str) -> str:
        config, arguments = command
        place = arguments.index("--config") if "--config" in arguments else len(arguments)
        targets = [f"results/{config_of(*command)['run']}/{file}" for file in files]
        done = plain_snakemake(config, "--cores", "2", *arguments[:place], *targets, *arguments[place:])
        assert done.returncode == 0, done.stdout[-20_000:]
        return done.stdout

    return made


@pytest.mark.slow
def test_nothing_is_fitted_to_a_dataset_that_is_left_out(make, tmp_path, read_jobs):
    zoo, run = commands("datasets.sh", tmp_path, "tiny")
    make(zoo)
    jobs = read_jobs(make(run))
    results = tmp_path / "results" / "cnn-tiny-without-characters"
    tasks = {}
    for part in ("train", "validation", "test", "unseen"):
        with open_zoo(results / f"zoo/{part}.h5") as index:
            tasks[part] = {name.split(".")[0] for task in index.snapshots["task"] for name in task_classes(task)}
    assert tasks["train"] == {"digits", "digits-inverted"} and tasks["unseen"] == {"characters"}
    assert "characters" not in tasks["validation"] | tasks["test"]
    for job in jobs:
        if job["rule"] in FITS or job["rule"].startswith("fit_"):
            assert not any(word in job["input"] for word in ("/unseen.", "/test.", "/characters.", "all.json")), job
    assert {job["rule"] for job in jobs} >= FITS
    # The mean of PCA, from the members of the other run.
    name = "module_list.0.weight"
    with open_zoo(tmp_path / "results/cnn-datasets-tiny/zoo/train.h5") as index:
        kept = ~index.snapshots["task"].str.contains("characters")
        weights = read_weights(index, columns=index.layout[name].columns)[kept.to_numpy()]
    with h5py.File(results / f"weights/pca/{name}.h5") as fitted:
        np.testing.assert_allclose(fitted["mean"][...].ravel(), weights.mean(axis=0), atol=1e-6)
    accuracies = pd.read_csv(results / "tables/accuracy.csv")
    assert set(accuracies["classes"]) == {"validation", "seen", "unseen"} and set(accuracies["unit"]) == {"members"}
    control = pd.read_csv(results / "tables/control.csv")
    assert set(zip(control["part"], control["arm"], strict=True)) == set(product(("test", "unseen"), ARMS))


@pytest.mark.slow
def test_bench_growth_and_sampling_on_the_zoo_of_one_dataset(make, tmp_path):
    zoo, run, *_ = commands("growth.sh", tmp_path, "tiny")
    make(zoo, "tables/weight_encoders.csv", "tables/encoder_groups.csv")  # the bench of the study of one dataset
    results = tmp_path / "results"
    bench, groups = (
        pd.read_csv(results / f"cnn-zoo-tiny/tables/{name}.csv") for name in ("weight_encoders", "encoder_groups")
    )
    assert set(bench["encoder"]) == {"pca-ae", "nearest", "tokens"} == set(groups["encoder"])
    assert groups.groupby("encoder")["members"].sum().eq(bench["members"].iloc[0]).all()
    make(run, "evaluation/growth.csv")
    rows = pd.read_csv(results / "cnn-growth-tiny-0-3x1/evaluation/growth.csv")
    assert set(rows["members"]) == {3} and set(rows["snapshots"]) == {1} and set(rows["unit"]) == {"members"}
    assert set(rows["measure"]) == {"accuracy", "agreement"} and "projection" in set(rows["sampler"])
    make((STUDY / "sampling-tiny.yaml", []), "tables/accuracy.csv")
    rows = pd.read_csv(results / "cnn-sampling-tiny/tables/accuracy.csv").set_index("sampler")
    compared = {"kde", "kde-subsampled", "scratch", "prompt", "interpolation", "mean", "nearest", "noised", "shuffled"}
    assert compared <= set(rows.index[rows["epochs"] == 1])
    assert set(rows.loc["kde-subsampled", "selection"]) == {"validation images"}
