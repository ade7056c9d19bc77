"""A short campaign of kills; `kills.py` makes long ones."""

import sys
from collections import Counter

import pytest
from kills import VICTIMS, run_campaign
from same import differing, made_files

pytestmark = pytest.mark.slow
# Where there is something to kill, and no further.
TARGETS = [f"results/tiny/{name}" for name in ("weights/latents/test.h5", "tables/members.csv", "tables/pca.csv")]


def test_a_run_of_one_seed_ends_the_same_elsewhere_and_killed(results, new_project, tiny_config):
    # Unfinished files and states to resume from exist in one of the runs only.
    def compare(root):
        made = root / "results" / "tiny"
        not_asked_for = made_files(results).keys() - made_files(made).keys()
        assert all((root / target).is_file() for target in TARGETS)
        assert [name for name in differing(results, made) if name not in not_asked_for] == []

    command = [sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml", "--cores", "2", *TARGETS]
    original = results.parents[1]
    killed = run_campaign(lambda: new_project(tiny_config, original=original).root, command, list(VICTIMS), 0, compare)
    assert killed == Counter(list(VICTIMS))
