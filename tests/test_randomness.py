"""Named random streams, and the assignment of items to parts."""

from collections import Counter
from zlib import crc32

import numpy as np
import pytest

from wsl.randomness import assigned_part, integer_seed, stream

THESIS = {"train": 850, "validation": 100, "test": 50}


def test_a_stream_is_its_seed_and_path():
    first = stream(3, "member", 17, "task").random(5)
    assert np.array_equal(first, stream(3, "member", 17, "task").random(5))
    others = [
        (4, "member", 17, "task"),
        (3, "member", 18, "task"),
        (3, "member", 17, "seed"),
        (3, "task", 17, "member"),
    ]
    for other in others:
        assert not np.array_equal(first, stream(*other).random(5)), other


@pytest.mark.parametrize("seed", [0, 3, 2**32 - 1, 2**32, 2**70])
def test_a_stream_is_that_of_numpy_for_its_numbers(seed):
    words = [seed, crc32(b"member"), 17]
    assert np.array_equal(stream(seed, "member", 17).random(9), np.random.default_rng(words).random(9))


def test_streams_are_unrelated():
    draws = np.stack([stream(0, "member", index).normal(size=500) for index in range(40)])
    correlations = np.corrcoef(draws)[~np.eye(40, dtype=bool)]
    assert np.abs(correlations).max() < 0.25  # 5.6 standard errors


def test_integer_seeds_fit_31_bits_and_differ():
    seeds = [integer_seed(0, "member", index) for index in range(2000)]
    assert min(seeds) >= 0 and max(seeds) < 2**31
    assert len(set(seeds)) == len(seeds)
    assert seeds[:3] == [integer_seed(0, "member", index) for index in range(3)]


@pytest.mark.parametrize("shares", [THESIS, {"train": 6, "validation": 1, "test": 1}, {"train": 3, "test": 2}])
def test_every_block_is_divided_in_exactly_the_shares(shares):
    block = sum(shares.values()) // np.gcd.reduce(list(shares.values()))
    parts = [assigned_part(0, "members", index, shares) for index in range(10 * block)]
    for start in range(0, len(parts), block):
        counts = Counter(parts[start : start + block])
        assert {part: count * sum(shares.values()) // block for part, count in counts.items()} == shares


def test_parts_are_shuffled_by_the_seed():
    parts = [[assigned_part(seed, "members", index, THESIS) for index in range(1000)] for seed in (0, 1)]
    assert parts[0] != parts[1]
    tests = np.flatnonzero(np.array(parts[0]) == "test") % 20
    assert len(set(tests)) > 10  # its place within a block of twenty differs
