"""Several members per job and file: the members are those of one member per job."""

import pytest

from wsl.errors import ConfigError, DataError
from wsl.runs.run import Run
from wsl.zoo.cohort import train_cohort
from wsl.zoo.index import open_zoo, read_weights
from wsl.zoo.member import read_member

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


COHORTS = {
    "00000-00009": range(10),
    "00010-00019": range(10, 20),
    "1000000-1000009": range(1_000_000, 1_000_010),
}


def trained(planned, read_jobs):
    """Return the wildcards of the jobs that train, and their files."""
    assert planned.returncode == 0, planned.stdout
    jobs = [job for job in read_jobs(planned.stdout) if job["rule"] == "train_cohort"]
    return {job["wildcards"].removeprefix("cohort="): job["output"] for job in jobs}


def test_every_member_is_made_once_by_its_cohort(plain_snakemake, read_jobs):
    jobs = trained(plain_snakemake(CONFIG, "--dry-run", *TARGETS), read_jobs)
    assert jobs == {name: f"{ZOO}/members/{name}.h5" for name in COHORTS}
    run = Run(CONFIG)
    assert {name: [int(member) for member in members] for name, members in run.cohorts.items()} == {
        name: list(members) for name, members in COHORTS.items()
    }
    assert run.member_files(["00019", "00003", "00011"]) == [jobs["00010-00019"], jobs["00000-00009"]]


def test_any_size_makes_whole_cohorts_and_one_that_is_smaller(change):
    run = Run(change(CONFIG, zoo__cohort=7))
    assert [len(members) for members in run.cohorts.values()] == [7, 7, 6, 6, 4]
    assert [*run.cohorts] == ["00000-00006", "00007-00013", "00014-00020", "999999-1000005", "1000006-1000012"]


def test_only_members_that_are_used_are_trained(change):
    run = Run(change(CONFIG, zoo__training=3))
    rows = {f"{row['member']:05d}": row["part"] for row in run.plan}
    assert sum(part == "train" for part in rows.values()) == 3
    assert sorted(name for members in run.cohorts.values() for name in members) == sorted(rows)


def test_the_batches_of_a_cohort_come_from_its_seed_and_number(change):
    run = Run(CONFIG)
    seeds = [run.training(name)["batch_seed"] for name in ("00000", "00009", "00010", "1000003")]
    assert seeds[0] == seeds[1] and len(set(seeds)) == 3
    assert Run(change(CONFIG, zoo__members=30)).training("00010")["batch_seed"] == seeds[2]
    assert Run(change(CONFIG, seed=4)).training("00000")["batch_seed"] != seeds[0]
    assert "batch_seed" not in Run(change(CONFIG, zoo__batches="own")).training("00000")
    with pytest.raises(ConfigError, match="batches: `cohort` has no effect with one member per cohort"):
        Run(change(CONFIG, zoo__cohort=1))


@pytest.mark.slow
def test_a_cohorts_members_are_those_that_are_trained_alone_and_a_larger_zoo_adds_cohorts(
    plain_snakemake, read_jobs, change, tmp_path
):
    config = change(CONFIG, zoo__cohort=5, zoo__unseen={}, zoo__members=10)
    done = plain_snakemake(config, "--cores", "2", f"{ZOO}/train.h5")
    assert done.returncode == 0, done.stdout
    run = Run(config)
    for name in run.cohorts["00005-00009"]:
        images = [tmp_path / f"results/cohorts/images/{digit}.h5" for digit in run.task(name)]
        train_cohort(images, tmp_path / "alone.h5", [run.training(name)], run.config.zoo.member_training())
        member, alone = read_member(tmp_path / f"{ZOO}/members/00005-00009.h5", int(name)), tmp_path / "alone.h5"
        assert member.plan == read_member(alone).plan
        assert member.weights == pytest.approx(read_member(alone).weights, abs=1e-4)
    more = change(config, zoo__members=20)
    assert trained(plain_snakemake(more, "--dry-run", *TARGETS[:3]), read_jobs).keys() == {"00010-00014", "00015-00019"}
    broken = tmp_path / f"{ZOO}/members/00000-00004.h5"
    broken.write_bytes(broken.read_bytes()[:3000])
    with open_zoo(tmp_path / f"{ZOO}/train.h5") as zoo, pytest.raises(DataError) as error:
        read_weights(zoo)
    target = str(broken.relative_to(tmp_path))
    assert "is damaged" in str(error.value)
    again = plain_snakemake(config, "--dry-run", "--forcerun", target, "--", f"{ZOO}/train.h5")
    assert trained(again, read_jobs).keys() == {"00000-00004"}
