"""A part of the tiny run through a real Slurm of one node, by the profile that clusters use."""

import re
import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec

import pytest
from cluster import Cluster, missing

pytestmark = [pytest.mark.slow, pytest.mark.slurm]
WHY_NOT = missing() or (None if find_spec("snakemake_executor_plugin_slurm") else "pip install '.[slurm]' first")
PROFILE = ("--configfile", "tiny.yaml", "--profile", "profiles/slurm")
# No accounting here, and jobs that take seconds.
HERE = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10")
TARGETS = ("results/tiny/weights/coefficients/train.h5", "results/tiny/datasets/class_means.json")
GPUS = 2


@pytest.fixture(scope="module")
def through_slurm(new_project, tiny_config, tmp_path_factory):
    """The run, watched: ``printed``, ``jobs`` as Slurm remembers them, ``most`` GPUs in use, ``cancelled`` comment."""
    if WHY_NOT:
        pytest.skip(f"no Slurm here: {WHY_NOT}")
    project = new_project(tiny_config)
    with Cluster(tmp_path_factory.mktemp("slurm"), GPUS) as cluster:
        command = [sys.executable, "-m", "snakemake", *PROFILE, *HERE, *TARGETS]
        with open(project.root / "printed", "w+", encoding="utf-8") as file:
            running = subprocess.Popen(command, cwd=project.root, stdout=file, stderr=subprocess.STDOUT)
            most, cancelled = 0, None
            while running.poll() is None:
                most = max(most, cluster.gpus_in_use())
                training = [job for job in cluster.jobs() if "train_member" in job["comment"]]
                begun = next((job for job in training if job["state"] == "RUNNING"), None)
                if begun and not cancelled:
                    cancelled = begun["comment"]
                    subprocess.run(["scancel", begun["id"]], check=True)
                time.sleep(0.3)
            file.seek(0)
            printed = file.read()
        assert running.returncode == 0, printed[-5000:]
        yield project, printed, cluster.jobs(), most, cancelled


def test_jobs_go_to_slurm_each_its_own_or_in_groups(through_slurm):
    project, printed, jobs, _, _ = through_slurm
    done = Counter(re.sub(r"_wildcards.*", "", job["comment"]) for job in jobs if job["state"] == "COMPLETED")
    assert done["rule_train_member"] == 4  # those of the part train: nothing here asks for others
    assert all((project.root / target).is_file() for target in TARGETS)
    assert sum(done.values()) < printed.count("Finished jobid"), done


def test_no_more_gpus_are_held_than_there_are(through_slurm):
    project, _, _, most, _ = through_slurm
    assert most == GPUS
    logs = [path.read_text() for path in (project.results / "logs" / "train_member").glob("*.log")]
    assert {re.search(r"leased GPU (\d)", log)[1] for log in logs} == {"0", "1"}


def test_a_cancelled_job_is_submitted_anew(through_slurm):
    _, _, jobs, _, cancelled = through_slurm
    states = Counter(job["state"] for job in jobs if job["comment"] == cancelled)
    assert states == Counter(CANCELLED=1, COMPLETED=1)


def test_a_finished_run_has_nothing_to_do(through_slurm):
    project, *_ = through_slurm
    asked = [sys.executable, "-m", "snakemake", *PROFILE, *HERE, *TARGETS]
    done = subprocess.run(asked, cwd=project.root, capture_output=True, text=True)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr
