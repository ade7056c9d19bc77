"""The plan: repeatable, with exact parts that do not share tasks."""

import json
from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from wsl.errors import ConfigError
from wsl.runs.run import DRAWN
from wsl.zoo.few_sets import few_sets
from wsl.zoo.plan import UNSEEN_FROM, class_set_rank, first_training, plan_members, plan_unseen, write_plan
from wsl.zoo.settings import Zoo

THESIS = {"train": 850, "validation": 100, "test": 50}
# Table 3.1 of the thesis.
TABLE = Zoo(early_epoch={"integers": [5, 10]}, max_epoch={"normal": [100, 15], "clip": [50, 150]})


def plan(members, seed=0, classes=10, size=3, shares=THESIS, zoo=TABLE):
    drawn = {key: getattr(zoo, key) for key in DRAWN}
    rates = {"adam": zoo.learning_rate.adam, "sgd": zoo.learning_rate.sgd}
    return plan_members(seed, [f"c{i}" for i in range(classes)], members, size, shares, drawn, rates)


def unseen(members, seed=0, classes=10, size=3):
    drawn = {key: getattr(TABLE, key) for key in DRAWN}
    rates = {"adam": TABLE.learning_rate.adam, "sgd": TABLE.learning_rate.sgd}
    return plan_unseen(seed, [f"u{i}" for i in range(classes)], members, size, drawn, rates)


@pytest.fixture(scope="module")
def thousand():
    return plan(1000, classes=1000)


def test_growing_the_zoo_keeps_its_first_members():
    assert plan(200)[:20] == plan(20)


def test_fewer_training_members_are_the_first_and_all_others_stay():
    whole, few = plan(200), first_training(plan(200), 30)
    by_part = [[[row for row in rows if row["part"] == part] for part in THESIS] for rows in (whole, few)]
    assert by_part[1][0] == by_part[0][0][:30] and by_part[1][1:] == by_part[0][1:]
    assert first_training(whole, None) == whole
    with pytest.raises(ConfigError, match=r"zoo\.training: 300 training members, but there are \d+"):
        first_training(whole, 300)


def test_the_seed_decides_everything():
    assert plan(20) == plan(20)
    other = plan(20, seed=1)
    for key in ("classes", "seed"):
        assert [row[key] for row in plan(20)] != [row[key] for row in other]


def test_a_thousand_members_fall_exactly_into_the_thesis_parts(thousand):
    assert Counter(row["part"] for row in thousand) == THESIS


@pytest.mark.parametrize("classes", [8, 10, 1000])
def test_no_two_parts_share_a_set_of_classes(classes):
    sets = {part: set() for part in THESIS}
    for row in plan(1000, classes=classes):
        sets[row["part"]].add(frozenset(row["classes"]))
    for part, other in combinations(sets.values(), 2):
        assert not part & other


def test_tasks_are_distinct_classes_in_any_order(thousand):
    assert all(len(set(row["classes"])) == 3 for row in thousand)
    # Were tasks sorted, the first class would always be the lowest; of random orders it is in one of three.
    numbers = [[int(name[1:]) for name in row["classes"]] for row in thousand]
    assert np.mean([row[0] == min(row) for row in numbers]) == pytest.approx(1 / 3, abs=0.06)


def test_hyper_parameters_follow_table_3_1(thousand):
    table = pd.DataFrame(thousand)
    assert set(table["early_epoch"]) == {5, 6, 7, 8, 9, 10}
    assert table["max_epoch"].between(50, 150).all()
    assert table["max_epoch"].mean() == pytest.approx(100, abs=2)
    assert table["max_epoch"].std() == pytest.approx(15, abs=1.5)
    assert table["optimizer"].value_counts(normalize=True)["adam"] == pytest.approx(0.5, abs=0.06)
    assert table["seed"].is_unique


def test_learning_rate_is_of_the_members_optimiser():
    zoo = Zoo(learning_rate={"adam": {"uniform": [1, 2]}, "sgd": {"uniform": [3, 4]}})
    rows = plan(60, zoo=zoo)
    assert {row["optimizer"] for row in rows} == {"adam", "sgd"}
    assert all((row["learning_rate"] < 2.5) == (row["optimizer"] == "adam") for row in rows)


def test_one_distribution_does_not_move_the_draws_of_another():
    changed = TABLE.model_copy(update={"batch_size": Zoo(batch_size={"choice": [8, 16]}).batch_size})
    for before, after in zip(plan(20), plan(20, zoo=changed), strict=True):
        assert {**before, "batch_size": 0} == {**after, "batch_size": 0}


def test_a_part_without_members_is_refused():
    with pytest.raises(ConfigError, match=r"zoo\.parts.*raise zoo\.members"):
        plan(3)


def test_too_few_tasks_for_the_parts_are_refused():
    with pytest.raises(ConfigError, match=r"zoo\.classes_per_task.*use more classes"):
        plan(40, classes=3)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_rank_of_a_class_set_is_its_place_in_colexicographic_order(size):
    ordered = sorted(combinations(range(9), size), key=lambda classes: classes[::-1])
    assert [class_set_rank(classes[::-1]) for classes in ordered] == list(range(len(ordered)))


def test_a_written_plan_has_one_row_per_member(tmp_path):
    write_plan(plan(20), tmp_path / "plan.csv", tmp_path / "zoo.json", {"run": "mine"})
    assert json.loads((tmp_path / "zoo.json").read_text()) == {"run": "mine", "plan": plan(20)}
    table = pd.read_csv(tmp_path / "plan.csv")
    assert table["member"].tolist() == list(range(20))
    assert table["classes"].str.split("/").tolist() == [row["classes"] for row in plan(20)]


def test_unseen_members_are_a_part_of_their_own_numbered_from_a_million():
    rows = unseen(12)
    assert UNSEEN_FROM == 1_000_000
    assert [row["member"] for row in rows] == list(range(1_000_000, 1_000_012))
    assert {row["part"] for row in rows} == {"unseen"}
    assert all(len(set(row["classes"])) == 3 and {name[0] for name in row["classes"]} == {"u"} for row in rows)
    assert set(rows[0]) == set(plan(20)[0])


def test_an_unseen_member_is_the_same_in_any_number_of_them():
    # More than the 120 sets that there are, so that repetitions are among them.
    assert unseen(150)[:30] == unseen(30)
    assert unseen(30) != unseen(30, seed=1)


@pytest.mark.parametrize("seed", range(5))
def test_members_of_a_part_use_every_set_of_classes_before_any_comes_twice(seed):
    rows = plan(96, seed, classes=7, shares={"train": 6, "validation": 1, "test": 1})
    # 35 sets: each block of 8 is divided 6:1:1, and 3 sets remain for the last block.
    for part, least in {"train": 24, "validation": 4, "test": 4}.items():
        sets = [frozenset(row["classes"]) for row in rows if row["part"] == part]
        count = len(set(sets))
        assert least <= count <= least + 3
        whole = len(sets) // count
        assert len(set(sets[:count])) == count
        assert set(Counter(sets).values()) <= {whole, whole + 1}


def test_held_out_tasks_of_a_sufficient_zoo_are_distinct_sets():
    rows = plan(192, classes=20, shares={"train": 5, "validation": 1, "test": 2})
    for part, count in {"train": 120, "validation": 24, "test": 48}.items():
        assert len({frozenset(row["classes"]) for row in rows if row["part"] == part}) == count


def test_few_held_out_sets_are_warned_of_with_what_to_change():
    shares = {"train": 6, "validation": 1, "test": 1}
    # Six classes give 20 sets, of which the test part has three at most.
    (line,) = few_sets(plan(48, classes=6, shares=shares))
    assert "6 held-out tasks of seen classes" in line and "use more classes" in line
    (line,) = few_sets(plan(64, classes=20, shares=shares))
    assert "8 distinct sets of classes" in line and "raise zoo.members or the share zoo.parts.test" in line
    assert few_sets(plan(80, classes=20, shares=shares)) == []
    (line,) = few_sets(plan(80, classes=20, shares=shares) + unseen(9))
    assert "unseen classes" in line and "raise zoo.unseen.members" in line
    (line,) = few_sets(unseen(3, classes=3))
    assert "1 distinct set of classes" in line and "zoo.unseen.classes" in line
    assert few_sets(unseen(10)) == []


def test_unseen_members_use_every_set_of_classes_before_any_comes_twice():
    sets = [frozenset(row["classes"]) for row in unseen(120)]
    assert len(set(sets)) == 120
    assert len({frozenset(row["classes"]) for row in unseen(150)}) == 120
    # Of random orders the lowest class is first in one of three.
    numbers = [[int(name[1:]) for name in row["classes"]] for row in unseen(120)]
    assert np.mean([row[0] == min(row) for row in numbers]) == pytest.approx(1 / 3, abs=0.13)


def test_unseen_members_are_drawn_as_all_members_are():
    table = pd.DataFrame(unseen(500, classes=100))
    assert set(table["early_epoch"]) == {5, 6, 7, 8, 9, 10}
    assert table["max_epoch"].mean() == pytest.approx(100, abs=3)
    assert table["optimizer"].value_counts(normalize=True)["adam"] == pytest.approx(0.5, abs=0.08)
    assert table["seed"].is_unique
    assert not set(table["seed"]) & {row["seed"] for row in plan(500)}
