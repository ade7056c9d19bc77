"""A run whose CLIP model and checkpoint are fetched, from a web site on loopback: once, and by nobody else."""

import hashlib
import json
import shutil
from collections import Counter

import pytest
import torch

from tests.networks import resnet18
from wsl.datasets.clip import Clip
from wsl.files.tensors import read_tensors

pytestmark = pytest.mark.slow
MEANS, START = "results/tiny/datasets/class_means/0.h5", "results/tiny/zoo/start.safetensors"
DOWNLOADS = "results/tiny/downloads"
CLIP = f"{DOWNLOADS}/hf-hub-me-reader"


@pytest.fixture
def project(site, reader, new_project, change, tiny_config, tmp_path):
    """A project that names repositories of the site; ``environment`` leads there."""
    for name, seed in (("reader", 5), ("other", 6)):
        folder = site.root / "me" / name
        folder.mkdir(parents=True)
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": json.loads(reader.read_text())}))
        torch.save(Clip(str(reader), None, seed).model.state_dict(), folder / "open_clip_pytorch_model.bin")
    small = site.root / "me" / "small"
    small.mkdir()
    (small / "config.json").write_text(json.dumps({"architecture": "resnet18", "num_classes": 1000}))
    torch.save(resnet18(2, 3).state_dict(), small / "pytorch_model.bin")
    backbone = {"checkpoint": "timm:hf-hub:me/small"}
    config = change(tiny_config, datasets={"model": "hf-hub:me/reader"}, zoo__init="finetuned", zoo__backbone=backbone)
    project = new_project(config)
    project.environment = {"HF_ENDPOINT": site.url, "HF_HOME": str(tmp_path / "home")}
    return project


def made(project, *targets):
    done = project.snakemake("--cores", "1", *targets, **project.environment)
    return done.returncode == 0, done.stdout


def test_weights_are_fetched_once_and_jobs_need_no_network(project, site, count_jobs):
    well, printed = made(project, MEANS, START)
    assert well, printed
    assert printed.count("localrule fetch_clip:") == printed.count("localrule fetch_checkpoint:") == 1
    weights = (project.root / f"{CLIP}.weights").read_bytes()
    assert weights == (site.root / "me/reader/open_clip_pytorch_model.bin").read_bytes()
    assert read_tensors(project.root / START)[1]["checkpoint"] == "timm:hf-hub:me/small"
    sent = site.sent.copy()
    assert sent["me/reader/open_clip_pytorch_model.bin"] == sent["me/small/pytorch_model.bin"] == 1

    site.__exit__()
    shutil.rmtree(project.environment["HF_HOME"])
    before = (project.root / MEANS).read_bytes()
    for path in (MEANS, START):
        (project.root / path).unlink()
    well, printed = made(project, MEANS, START)
    assert well, printed
    assert count_jobs(printed) == Counter(clip_features=1, start=1)
    assert (project.root / MEANS).read_bytes() == before and site.sent == sent

    project.configure(datasets__model="hf-hub:me/other")
    assert project.would_run(MEANS, START) == Counter(fetch_clip=1, clip_features=1)
    project.configure(datasets__model="hf-hub:me/reader", zoo__backbone__checkpoint="timm:hf-hub:me/other")
    assert project.would_run(MEANS, START) == Counter(fetch_checkpoint=1, start=1)


def test_a_download_with_another_checksum_is_not_kept(project, site):
    path = site.root / "me/small/pytorch_model.bin"
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    project.configure(zoo__backbone__sha256=right)
    state = resnet18(2, 3).state_dict()
    torch.save({name: value + 1 for name, value in state.items()}, path)  # a whole state dict, but not that one
    fetched = f"{DOWNLOADS}/timm-hf-hub-me-small"
    well, printed = made(project, fetched)
    assert not well and "Output files have checksums that differ from the expected ones" in printed
    assert not (project.root / fetched).exists()
