"""The plan, for any zoo."""

from collections import Counter
from itertools import combinations
from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsl.errors import ConfigError
from wsl.randomness import assigned_part
from wsl.runs.run import DRAWN
from wsl.zoo.groups import group_classes
from wsl.zoo.plan import class_set_rank, plan_members, plan_unseen
from wsl.zoo.settings import Zoo

PARTS = ("train", "validation", "test")
ZOO = Zoo(
    learning_rate={"adam": {"loguniform": [1e-4, 1e-2]}},
    batch_size={"choice": [16, 32]},
    max_epoch={"normal": [10, 3], "clip": [5, 20]},
)
DISTRIBUTIONS = {key: getattr(ZOO, key) for key in DRAWN}
RATES = {"adam": ZOO.learning_rate.adam, "sgd": ZOO.learning_rate.sgd}

seeds = st.integers(0, 2**31)
shares = st.fixed_dictionaries({part: st.integers(1, 8) for part in PARTS})


def plan(seed, classes, members, size, parts):
    return plan_members(seed, classes, members, size, parts, DISTRIBUTIONS, RATES)


def whole_blocks(parts):
    """Return the smallest number of members that has exactly these shares."""
    return sum(parts.values()) // gcd(*parts.values())


@given(seeds, shares, st.integers(8, 14), st.integers(2, 4), st.integers(1, 3), st.integers(0, 30))
def test_a_member_is_the_same_in_every_zoo_and_parts_have_their_shares(seed, parts, classes, size, blocks, more):
    names, members = [f"c{place}" for place in range(classes)], whole_blocks(parts) * blocks
    small, large = (plan(seed, names, count, size, parts) for count in (members, members + more))
    assert large[:members] == small
    counts, divisor = Counter(row["part"] for row in small), gcd(*parts.values())
    assert counts == {part: blocks * share // divisor for part, share in parts.items()}
    assert all(len(set(row["classes"])) == size and set(row["classes"]) <= set(names) for row in large)
    assert all(row["early_epoch"] < row["max_epoch"] for row in large)
    sets = {part: {frozenset(row["classes"]) for row in large if row["part"] == part} for part in PARTS}
    assert all(not sets[part] & sets[other] for part, other in combinations(PARTS, 2))
    owners = Counter(
        assigned_part(seed, "tasks", class_set_rank(task), parts) for task in combinations(range(classes), size)
    )
    for part in PARTS:  # no set comes twice before all sets of the part have come once
        times = Counter(frozenset(row["classes"]) for row in large if row["part"] == part)
        assert len(times) == min(times.total(), owners[part])
        assert max(times.values()) - min(times.values()) <= 1


@given(seeds, st.data())
def test_only_unseen_tasks_have_unseen_classes(seed, data):
    classes = [f"c{place}" for place in data.draw(st.permutations(range(16)))]
    unseen, backbone = data.draw(st.integers(3, 5)), data.draw(st.integers(2, 4))
    chosen = [
        data.draw(st.sampled_from([count, classes[start : start + count]]))
        for count, start in ((unseen, 0), (backbone, 8))
    ]
    groups = group_classes(seed, classes, chosen[1], chosen[0], 3)
    parts = {"train": 4, "validation": 1, "test": 1}
    seen = {name for row in plan(seed, groups["tasks"], 24, 3, parts) for name in row["classes"]}
    kept = {name for row in plan_unseen(seed, groups["unseen"], 9, 3, DISTRIBUTIONS, RATES) for name in row["classes"]}
    assert len(groups["unseen"]) == unseen and len(groups["backbone"]) == backbone
    assert kept <= set(groups["unseen"]) and seen <= set(groups["tasks"])
    assert not seen & kept and not (seen | kept) & set(groups["backbone"])


@given(seeds, shares, st.integers(3, 40), st.integers(2, 6))
def test_an_impossible_zoo_is_refused_and_never_hangs(seed, parts, members, classes):
    names = [f"c{place}" for place in range(classes)]
    try:
        rows = plan(seed, names, members, 2, parts)
    except ConfigError as error:
        assert str(error).startswith(("zoo.parts: ", "zoo.classes_per_task: "))
    else:
        assert {row["part"] for row in rows} == set(PARTS)


def test_an_empty_part_is_refused():
    with pytest.raises(ConfigError, match=r"^zoo\.parts"):
        plan(0, [*"abcdefgh"], 3, 3, {"train": 8, "validation": 1, "test": 1})
