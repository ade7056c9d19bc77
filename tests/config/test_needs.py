"""The smallest numbers of members and classes with which a plan exists."""

import re
from itertools import combinations
from math import comb
from pathlib import Path

import pytest

from wsl.config.needs import fewest_members, fewest_task_classes
from wsl.errors import ConfigError
from wsl.randomness import assigned_part
from wsl.zoo.plan import class_set_rank

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "own-photographs.md"
SHARES = {"17:2:1": {"train": 17, "validation": 2, "test": 1}, "8:1:1": {"train": 8, "validation": 1, "test": 1}}


def parts_of_sets(seed, count, shares):
    """The part of every set of three classes."""
    return [assigned_part(seed, "tasks", class_set_rank(classes), shares) for classes in combinations(range(count), 3)]


@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES)
@pytest.mark.parametrize("seed", range(5))
def test_the_fewest_members_are_those_with_one_in_each_part(seed, shares):
    fewest = fewest_members(seed, shares)
    parts = [assigned_part(seed, "members", index, shares) for index in range(fewest)]
    assert set(parts) == set(shares) != set(parts[:-1])
    assert fewest <= sum(shares.values())


def test_the_search_for_the_fewest_classes_starts_at_those_of_a_task():
    tried = []

    def plan(names):
        tried.append(len(names))
        assert len(set(names)) == len(names)
        if len(names) < 7:
            raise ConfigError("too few")

    assert fewest_task_classes(plan, 3) == 7 and tried == [3, 4, 5, 6, 7]


def test_no_number_is_reported_if_none_suffices():
    def plan(names):
        raise ConfigError("for another reason")

    assert fewest_task_classes(plan, 3) is None


def test_the_guides_table_counts_the_sets_of_three_and_those_held_out():
    rows = re.findall(r"^\| (\d+) \| (\d+) \| ([\d or]+) \| ([\d or]+) \|$", GUIDE.read_text(), re.MULTILINE)
    assert len(rows) == 5
    for classes, sets, *held_out in rows:
        assert comb(int(classes), 3) == int(sets)
        for numbers, shares in zip(held_out, SHARES.values(), strict=True):
            counts = {parts_of_sets(seed, int(classes), shares).count("test") for seed in range(5)}
            assert counts <= {int(number) + more for number in numbers.split(" or ") for more in (-1, 0, 1)}
