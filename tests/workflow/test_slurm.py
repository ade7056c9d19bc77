"""A part of the tiny run through a real Slurm of one node, by the profile that clusters use."""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec

import pytest
import torch
from cluster import Cluster, missing
from loopback import Loopback
from pages import blocks

from wsl.datasets.clip import Clip
from wsl.launch.stopping import FULL

pytestmark = [pytest.mark.slow, pytest.mark.slurm]
WHY_NOT = missing() or (None if find_spec("snakemake_executor_plugin_slurm") else "pip install '.[slurm]' first")
(COMMAND,) = blocks("docs/clusters.md", "bash")  # the guide's, with another config
PROGRAM, *PROFILE = COMMAND.replace("config/thesis.yaml", "tiny.yaml").split()
# No accounting here, and jobs that take seconds.
HERE = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10")
TARGETS = ("results/tiny/weights/coefficients/train.h5", "results/tiny/datasets/class_means.json")
GPUS = 2


@pytest.fixture(scope="module")
def hub(reader, tmp_path_factory):
    """A hub of models on loopback, with a small CLIP."""
    with Loopback(tmp_path_factory.mktemp("hub")) as site:
        folder = site.root / "me" / "reader"
        folder.mkdir(parents=True)
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": json.loads(reader.read_text())}))
        torch.save(Clip(str(reader), None, seed=5).model.state_dict(), folder / "open_clip_pytorch_model.bin")
        yield site


@pytest.fixture(scope="module")
def through_slurm(new_project, change, tiny_config, hub, tmp_path_factory):
    """The run, watched: ``printed``, ``jobs`` as Slurm remembers them, ``most`` GPUs in use, ``cancelled`` comment."""
    if WHY_NOT:
        pytest.skip(f"no Slurm here: {WHY_NOT}")
    # One job for all classes, since each job imports its libraries by itself.
    project = new_project(change(tiny_config, datasets={"model": "hf-hub:me/reader"}, images__classes_per_job=5))
    # Three PCA jobs of one group then want a GPU each, of which the node has two.
    for name, value in (("SMALL", "2**14"), ("LARGE", "2**18")):
        project.edit("workflow/rules/weights.smk", f"{name} = {value}", f"{name} = 2**11")
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path_factory.mktemp("home"))}
    with Cluster(tmp_path_factory.mktemp("slurm"), GPUS) as cluster:
        command = [sys.executable, "-m", PROGRAM, *FULL, *PROFILE, *HERE, *TARGETS]
        with open(project.root / "printed", "w+", encoding="utf-8") as file:
            running = subprocess.Popen(
                command, cwd=project.root, stdout=file, stderr=subprocess.STDOUT, env=environment
            )
            most, cancelled = 0, None
            while running.poll() is None:
                most = max(most, cluster.gpus_in_use())
                training = [job for job in cluster.jobs() if "train_cohort" in job["comment"]]
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
    assert done["rule_train_cohort"] == 4  # those of the part train: nothing here asks for others
    assert all((project.root / target).is_file() for target in TARGETS)
    assert sum(done.values()) < printed.count("Finished jobid"), done


def test_no_more_gpus_are_held_than_there_are(through_slurm):
    project, _, _, most, _ = through_slurm
    assert most == GPUS
    logs = [path.read_text() for path in (project.results / "logs" / "train_cohort").glob("*.log")]
    assert {re.search(r"leased GPU (\d)", log)[1] for log in logs} == {"0", "1"}


def test_a_group_asks_for_one_gpu_however_many_of_its_jobs_want_one(through_slurm):
    project, *_ = through_slurm
    logs = [path.read_text() for path in (project.results / "logs" / "fit_pca").glob("*.log")]
    assert len(logs) == 3 and all("leased GPU" in log for log in logs)


def test_weights_are_fetched_where_snakemake_runs_and_by_no_slurm_job(through_slurm, hub):
    _, printed, jobs, *_ = through_slurm
    assert printed.count("localrule fetch_clip:") == 1
    assert not [job for job in jobs if "fetch" in job["comment"]]
    assert hub.sent == Counter({f"me/reader/open_clip_{name}": 1 for name in ("config.json", "pytorch_model.bin")})


def test_a_cancelled_job_is_submitted_anew(through_slurm):
    _, _, jobs, _, cancelled = through_slurm
    states = Counter(job["state"] for job in jobs if job["comment"] == cancelled)
    assert states == Counter(CANCELLED=1, COMPLETED=1)


def test_a_finished_run_has_nothing_to_do(through_slurm):
    project, *_ = through_slurm
    asked = [sys.executable, "-m", PROGRAM, *PROFILE, *HERE, *TARGETS]
    done = subprocess.run(asked, cwd=project.root, capture_output=True, text=True)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr
