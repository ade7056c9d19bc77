"""Several classes a job: the files and their contents stay what they are."""

from collections import Counter

import pytest

from wsl.datasets.clip import embed_classes
from wsl.datasets.settings import ClipModel
from wsl.images.packing import pack_class
from wsl.jobs.job import Job
from wsl.runs.run import Run

TARGETS = ["results/tiny/images/all.json", "results/tiny/datasets/class_means.json"]


@pytest.fixture
def config(tiny_config, change):
    return change(tiny_config, images__classes_per_job=3)  # of five: one job has two


def test_every_class_is_made_once_by_its_group(plain_snakemake, read_jobs, config):
    done = plain_snakemake(config, "--dry-run", *TARGETS)
    assert done.returncode == 0, done.stdout
    jobs = [job for job in read_jobs(done.stdout) if not job["rule"].startswith("list_")]
    assert [job["rule"] for job in sorted(jobs, key=lambda job: job["rule"])] == [
        *("clip_features_0", "clip_features_1", "pack_classes_0", "pack_classes_1")
    ]
    made = Counter(path for job in jobs for path in job["output"].split(", "))
    assert made == Counter(
        f"results/tiny/{folder}/{digit}.h5" for folder in ("images", "datasets/class_means") for digit in range(5)
    )


@pytest.mark.slow
def test_a_groups_classes_are_those_that_are_made_alone(plain_snakemake, config, tmp_path):
    done = plain_snakemake(config, "--cores", "2", *TARGETS)
    assert done.returncode == 0, done.stdout
    run = Run(config)
    for digit in run.classes:
        image = tmp_path / f"results/tiny/images/{digit}.h5"
        pack_class(tmp_path / "alone.h5", digit, run.config.images, run.config.seed)
        assert image.read_bytes() == (tmp_path / "alone.h5").read_bytes()
        model, job = ClipModel(**run.pretrained.clip), Job(seed=run.seed("clip"))
        embed_classes([image], [tmp_path / "mean.h5"], [run.prompts(digit)], model, job)
        made = tmp_path / f"results/tiny/datasets/class_means/{digit}.h5"
        assert made.read_bytes() == (tmp_path / "mean.h5").read_bytes()


@pytest.mark.slow
def test_all_unusable_classes_of_a_group_are_named(plain_snakemake, config, change, tmp_path):
    # Digits 0 to 4 have 142, 146, 142, 146 and 145 images to learn from; only packing can tell.
    done = plain_snakemake(change(config, images__minimum=145), "--cores", "1", TARGETS[0])
    assert done.returncode != 0
    log = (tmp_path / "results/tiny/logs/pack_classes_0.log").read_text(encoding="utf-8")
    assert "class '0' has" in log and "class '2' has" in log and "class '1' has" not in log
