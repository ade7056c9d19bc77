"""A short campaign of kills; `kills.py` makes long ones."""

import sys
from collections import Counter

import pytest
from kills import VICTIMS, run_campaign
from same import differing

pytestmark = pytest.mark.slow


def test_a_run_of_one_seed_ends_the_same_elsewhere_and_killed(results, new_project, tiny_config):
    # Files that are half-written, and states to go on from, would differ by being there.
    def compare(root):
        assert differing(results, root / "results" / "tiny") == []

    command = [sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml", "--cores", "2"]
    original = results.parents[1]
    killed = run_campaign(lambda: new_project(tiny_config, original=original).root, command, list(VICTIMS), 0, compare)
    assert killed == Counter(list(VICTIMS))
