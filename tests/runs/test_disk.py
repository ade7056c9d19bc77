"""The estimate of disk before a run starts."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import yaml
from torchvision.models import resnet18

from wsl.errors import ConfigError
from wsl.runs.disk import check_disk, disk_needs
from wsl.runs.run import Run

Usage = namedtuple("Usage", "total used free")


CONFIGS = Path(__file__).parents[2] / "config"
SMALL = {"run": "small", "zoo": {"architecture": {"width": 2}}}


@pytest.fixture
def thesis():
    return yaml.safe_load((CONFIGS / "thesis.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def free(monkeypatch):
    """Pretend that this number of bytes is free."""
    return lambda count: monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**15, 0, count))


def test_a_zoo_takes_the_space_of_torchvisions_state_dicts(thesis):
    state = resnet18(num_classes=3).state_dict()
    floats = sum(value.numel() for value in state.values() if value.is_floating_point())
    assert disk_needs(Run(thesis))["zoo"] == 1000 * 2 * floats * 4
    half = {**thesis, "zoo": {**thesis["zoo"], "storage": "float16"}}
    assert disk_needs(Run(half))["zoo"] == 1000 * 2 * floats * 2


def test_components_are_counted_by_hand():
    needs = disk_needs(Run({**SMALL, "weights": {"components": 2, "dimension_limit": 4}}))
    layout = Run(SMALL).layout
    small = [entry.size for entry in layout.entries if entry.size <= 4]
    large = [entry.size for entry in layout.entries if entry.size > 4]
    assert needs["components"] == 4 * (3 * sum(large) + sum(size * (size + 1) for size in small))


def test_a_disk_too_small_is_refused_with_the_figure(thesis, free, tmp_path):
    free(50_000_000_000)
    with pytest.raises(ConfigError, match=r"about 91 GB in .*zoo 90.* 50 GB free; .*zoo.storage: float16"):
        check_disk(Run(thesis), tmp_path / "results" / "thesis")
    free(95_000_000_000)
    assert check_disk(Run(thesis), tmp_path / "results" / "thesis").endswith("0 GB made; 95 GB free")


def test_existing_files_need_no_space(free, tmp_path):
    run = Run(SMALL)
    need = sum(disk_needs(run).values())
    free(need // 2)
    with pytest.raises(ConfigError):
        check_disk(run, tmp_path)
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "made.h5").write_bytes(bytes(need // 2 + 1))
    check_disk(run, tmp_path)
