"""A short campaign of kills; `kills.py` makes long ones."""

import sys
from collections import Counter

import pytest
from kills import VICTIMS, run_campaign
from same import contents, made_files

pytestmark = pytest.mark.slow
TARGETS = ("results/tiny/weights/latents/train.h5", "results/tiny/weights/latents/test.h5")


def test_a_run_that_was_killed_ends_as_one_that_was_not(results, new_project, tiny_config):
    def compare(root):
        found, expected = made_files(root / "results" / "tiny"), made_files(results)
        assert "weights/latents/train.h5" in found
        # Nothing half-written is left, nor any state to go on from.
        assert [name for name in found if name not in expected] == []
        assert [name for name, path in found.items() if contents(path) != contents(expected[name])] == []

    command = [sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml", "--cores", "2", "--", *TARGETS]
    killed = run_campaign(lambda: new_project(tiny_config).root, command, list(VICTIMS), 0, compare)
    assert killed == Counter(list(VICTIMS))
