"""Whole tasks and grids: properties of plans by counting, and initial weights against torch.nn.init."""

from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from tests.conftest import plan_row
from wsl.config.reading import read_yaml
from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.report.contents import planned_warnings
from wsl.report.facts import facts
from wsl.runs.run import Run
from wsl.zoo.initialisation import initialise
from wsl.zoo.settings import INITIALISATIONS, MemberTraining
from wsl.zoo.training import Training

SOURCES = {"a": "digits", "b": {"name": "digits", "test_share": 0.3}, "c": {"name": "digits", "test_share": 0.4}}
DIGITS = [str(digit) for digit in range(10)]
ZOO = {"tasks": "whole", "classes_per_task": 10, "members": 40, "architecture": "cnn-small"}
ZOO |= {"parts": {"train": 7, "validation": 1, "test": 2}}


def run_of(images=None, seed=0, **zoo):
    return Run({"run": "x", "seed": seed, "images": images or {"sources": SOURCES}, "zoo": {**ZOO, **zoo}})


@settings(max_examples=10)
@given(st.integers(0, 2**31), st.integers(40, 90))
def test_each_source_is_equally_often_in_each_part_and_its_task_is_all_its_classes(seed, members):
    plan = run_of(seed=seed, members=members).plan
    counts = {part: Counter(row["dataset"] for row in plan if row["part"] == part) for part in ZOO["parts"]}
    for by_label in counts.values():
        assert max(by_label[label] for label in SOURCES) - min(by_label[label] for label in SOURCES) <= 1
    assert all(row["classes"] == [f"{row['dataset']}.{digit}" for digit in DIGITS] for row in plan)
    assert run_of(seed=seed, members=40).plan == plan[:40]


def test_one_source_is_one_task_and_intervals_are_over_members():
    run = run_of({"source": "digits"})
    assert {tuple(row["classes"]) for row in run.plan} == {tuple(DIGITS)} and run.unit == "members"
    (same, few) = planned_warnings(run)
    assert "over members" in same and "8 held-out members" in few and "raise zoo.members" in few
    about = facts(run)
    assert (about["sets"], about["held_out"], about["tasks"]) == (
        {"seen": 8}, "8 members on 1 task", "one task of 10 classes"
    )  # fmt: skip


def test_a_left_out_source_is_named_by_its_label_or_its_classes():
    by_label = run_of(unseen={"classes": ["c"], "members": 6})
    assert by_label.plan == run_of(unseen={"classes": [f"c.{digit}" for digit in DIGITS], "members": 6}).plan
    datasets = {part: {row["dataset"] for row in by_label.plan if row["part"] == part} for part in by_label.parts}
    assert datasets == {part: {"c"} if part == "unseen" else {"a", "b"} for part in by_label.parts}
    assert facts(by_label)["tasks"] == "2 datasets of 10 classes, 6 of them on 1 that no other member saw"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"classes_per_task": 3},
            r"images\.classes: .*classes_per_task, 3; others .* of a \(10\), b \(10\), c \(10\)",
        ),
        ({"unseen": {"classes": ["c", "b.1"], "members": 4}}, r"images\.classes: .* tasks of b \(9\)"),
        ({"unseen": {"classes": 30, "members": 4}}, "0 classes are left for tasks"),
        ({"members": 4}, r"zoo\.parts: 4 members leave"),
    ],
)
def test_sources_that_are_not_whole_are_refused_by_name(changes, message):
    with pytest.raises(ConfigError, match=message):
        run_of(**changes)


def test_tasks_within_and_across_keep_their_plan_and_unit():
    within = run_of(tasks="within", classes_per_task=3)
    assert within.unit == "sets of classes" and not any("dataset" in row for row in within.plan)
    assert not any("initialisation" in row for row in within.plan)


GRID = {"optimizer": ["adam", "sgd"], "weight_decay": [0, 0.1, 1], "initialisation": ["uniform", "normal"]}


def grid(members, **changes):
    choices = {key: {"choice": values} for key, values in GRID.items()}
    rates = {"adam": {"choice": [1e-3, 2e-3]}, "sgd": {"loguniform": [0.1, 0.2]}}
    return run_of({"source": "digits"}, **{**choices, "learning_rate": rates, "members": members, **changes})


def test_a_grid_has_every_combination_equally_often_and_draws_the_rest():
    plan = grid(90, design="grid").plan
    seen = Counter((row["optimizer"], row["weight_decay"], row["initialisation"], row["learning_rate"])
                   for row in plan if row["optimizer"] == "adam")  # fmt: skip
    # Adam has 2 * 3 * 2 combinations, SGD, whose rate is drawn, 3 * 2; 18 in all, so each of them five times.
    assert seen == dict.fromkeys(product(["adam"], GRID["weight_decay"], GRID["initialisation"], [1e-3, 2e-3]), 5)
    drawn = [row for row in plan if row["optimizer"] == "sgd"]
    assert len(drawn) == 30 and all(0.1 <= row["learning_rate"] <= 0.2 for row in drawn)
    assert len({row["learning_rate"] for row in drawn}) == 30
    free = ("member", "part", "seed", "classes", "max_epoch", "early_epoch", "batch_size")
    random = grid(90).plan  # what no `choice` of several values gives is as it is drawn
    assert [[row[key] for key in free] for row in plan] == [[row[key] for key in free] for row in random]
    assert grid(40, design="grid").plan == plan[:40]


def test_grids_that_are_none_are_refused():
    with pytest.raises(ConfigError, match=r"zoo\.design: the grid has 18 combinations, but there are 16 members"):
        grid(16, design="grid", parts={"train": 2, "validation": 1, "test": 1})
    with pytest.raises(ConfigError, match=r"zoo\.design: a grid needs several values"):
        run_of(design="grid", optimizer="adam")


@pytest.mark.parametrize(
    ("zoo", "message"),
    [
        ({"initialisation": "orthogonal"}, r"zoo: initialisation: known are default, uniform"),
        ({"initialisation": {"uniform": [0, 1]}}, r"initialisation: known are"),
        ({"initialisation": "normal", "init": "shared"}, "init: shared gives all members one start"),
    ],
)
def test_unknown_initialisations_are_refused(zoo, message):
    with pytest.raises(ConfigError, match=message):
        run_of(**zoo)


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_initial_weights_have_the_distribution_of_torch(name):
    network = nn.Sequential(nn.Conv2d(3, 16, 5), nn.BatchNorm2d(16), nn.Flatten(), nn.Linear(400, 30, bias=False))
    initialise(network, name)
    convolution, norm, _, linear = network
    for layer, inputs in ((convolution, 75), (linear, 400)):
        values = layer.weight.detach().numpy().ravel()
        # He et al. 2015 (gain sqrt(2)): deviation sqrt(2 / inputs), so uniform up to sqrt(6 / inputs).
        bound = np.sqrt(6 / inputs)
        expected = {"uniform": stats.uniform(), "kaiming-uniform": stats.uniform(-bound, 2 * bound)}
        expected |= {"normal": stats.norm(), "kaiming-normal": stats.norm(0, np.sqrt(2 / inputs))}
        assert stats.kstest(values, expected[name].cdf).pvalue > 0.01
    assert (convolution.bias == 0.01).all() and linear.bias is None
    assert (norm.weight == 1).all() and (norm.bias == 0).all()


def test_a_member_starts_as_planned(packed):
    def start(**plan):
        shared = MemberTraining(architecture="mlp")
        return Training([packed[name] for name in "012"], plan_row(**plan), shared).network.state_dict()

    same, normal = start(initialisation="default"), start(initialisation="normal")
    assert all(torch.equal(value, same[key]) for key, value in start().items())
    head = list(same)[-2]
    assert normal[head].std() > 0.8 > 2 * same[head].std()


STUDIES = Path(__file__).parents[2] / "docs" / "studies" / "cnn-zoo"


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.name)
def test_configs_of_the_study_are_valid(path):
    zoo = load_config(read_yaml(path)).zoo
    assert zoo.borrowed is not None or zoo.tasks == "whole"


def test_studies_on_embedded_images_have_whole_grids_and_datasets():
    run = Run(read_yaml(STUDIES / "one-dataset-tiny.yaml"))
    combinations = Counter((row["initialisation"], row["learning_rate"]) for row in run.plan)
    assert (len(run.plan), set(combinations.values()), len(combinations)) == (20, {2, 3}, 8)
    several = Run(read_yaml(STUDIES / "datasets-tiny.yaml"))
    counts = Counter(row["dataset"] for row in several.plan)
    assert counts == dict.fromkeys(several.config.images.source.of, 10)
