"""Every stage on every architecture, and the page that lists the outcomes."""

from pathlib import Path

import pytest

from tests.stages.kinds import KINDS, register_plugins
from tests.stages.material import Images
from tests.stages.outcome import STAGES
from tests.stages.page import PAGE, listed, run_images, run_stages, written
from wsl.zoo.architectures.base import ARCHITECTURES

QUICK = ("cnn-small", "vit", "plug-in", "plug-in without bias")  # the others are slow
LABELS = [label if label in QUICK else pytest.param(label, marks=pytest.mark.slow) for label in KINDS]


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    register_plugins()
    folder = tmp_path_factory.mktemp("images")
    Images(folder).make()
    return folder


@pytest.mark.parametrize("label", LABELS)
def test_all_stages_work_or_refuse_as_the_page_says(label, images, tmp_path):
    assert listed(PAGE.read_text(), "Stages")[label] == run_stages(label, images, tmp_path)


@pytest.mark.parametrize("label", KINDS)
def test_images_are_accepted_or_refused_as_the_page_says(label, images):
    assert listed(PAGE.read_text(), "Images")[label] == run_images(label)


def test_the_page_lists_what_is_tested_and_nothing_else(images):
    page = PAGE.read_text()
    stages, sizes = listed(page, "Stages"), listed(page, "Images")
    assert written(stages, sizes) == page and list(stages) == list(sizes) == list(KINDS)
    assert all(list(column) == list(STAGES) for column in stages.values())


def test_every_architecture_of_the_package_is_tested(images):
    built_in = {name for name in ARCHITECTURES if ARCHITECTURES[name].__module__.startswith("wsl.")}
    assert built_in - {"lora"} <= set(KINDS)  # adapters of another architecture: tests/zoo/architectures/test_lora.py
