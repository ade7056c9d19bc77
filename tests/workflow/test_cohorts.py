"""Several members per job: files and their contents are those of one member per job."""

from collections import Counter

import pytest

from wsl.errors import ConfigError
from wsl.runs.run import Run
from wsl.zoo.member import read_member
from wsl.zoo.training import train_member

CONFIG = {
    "run": "cohorts",
    "seed": 3,
    "images": {"source": "digits", "size": 16},
    "zoo": {
        "members": 20,
        "cohort": 10,
        "batches": "cohort",
        "parts": {"train": 2, "validation": 1, "test": 1},
        "unseen": {"classes": 3, "members": 10},
        "architecture": {"name": "mlp", "widths": [4]},
        "early_epoch": 1,
        "max_epoch": 1,
        "snapshots": [0, "max"],
    },
}
ZOO = "results/cohorts/zoo"
TARGETS = [f"{ZOO}/{part}.h5" for part in ("train", "validation", "test", "unseen")]


def test_every_member_is_made_once_by_its_cohort(plain_snakemake, read_jobs):
    done = plain_snakemake(CONFIG, "--dry-run", *TARGETS)
    assert done.returncode == 0, done.stdout
    jobs = [job for job in read_jobs(done.stdout) if job["rule"] == "train_cohort"]
    assert {job["wildcards"] for job in jobs} == {"cohort=0000", "cohort=0001", "cohort=100000"}
    made = Counter(path for job in jobs for path in job["output"].split(", "))
    names = {
        f"{ZOO}/members/{name}.h5"
        for part in ("train", "validation", "test", "unseen")
        for name in Run(CONFIG).members(part)
    }
    assert made == Counter(names) and len(names) == 30


def test_the_batches_of_a_cohort_come_from_its_seed_and_number(change):
    run = Run(CONFIG)
    seeds = [run.training(name)["batch_seed"] for name in ("00000", "00009", "00010", "1000003")]
    assert seeds[0] == seeds[1] and len(set(seeds)) == 3
    assert Run(change(CONFIG, zoo__members=30)).training("00010")["batch_seed"] == seeds[2]
    assert Run(change(CONFIG, seed=4)).training("00000")["batch_seed"] != seeds[0]
    assert "batch_seed" not in Run(change(CONFIG, zoo__batches="own")).training("00000")
    with pytest.raises(ConfigError, match="batches: `cohort` has no effect with one member per cohort"):
        Run(change(CONFIG, zoo__cohort=1))


def test_a_hundred_members_are_a_job_too(plain_snakemake, count_jobs, change):
    done = plain_snakemake(change(CONFIG, zoo__cohort=100, zoo__members=200, zoo__unseen={}), "--dry-run", *TARGETS[:3])
    assert done.returncode == 0, done.stdout
    assert count_jobs(done.stdout)["train_cohort"] == 2


@pytest.mark.slow
def test_a_cohorts_members_are_those_that_are_trained_alone(plain_snakemake, tmp_path):
    names = [f"{number:05d}" for number in range(10, 20)]
    done = plain_snakemake(CONFIG, "--cores", "2", *(f"{ZOO}/members/{name}.h5" for name in names))
    assert done.returncode == 0, done.stdout
    run = Run(CONFIG)
    for name in names:
        images = [tmp_path / f"results/cohorts/images/{digit}.h5" for digit in run.task(name)]
        train_member(images, tmp_path / "alone.h5", run.training(name), run.config.zoo.member_training())
        member, alone = (
            read_member(path) for path in (tmp_path / ZOO / "members" / f"{name}.h5", tmp_path / "alone.h5")
        )
        assert member.plan == alone.plan
        assert member.weights == pytest.approx(alone.weights, abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"zoo__members": 25}, "cohort: members is 25, which is not a multiple of 10"),
        ({"zoo__unseen__members": 3}, "cohort: unseen.members is 3, which is not a multiple of 10"),
        ({"zoo__training": 4}, "cohorts would contain unused members"),
    ],
)
def test_a_cohort_that_is_not_whole_is_refused(plain_snakemake, change, changes, message):
    done = plain_snakemake(change(CONFIG, **changes), "--dry-run")
    assert done.returncode != 0 and message in done.stdout
